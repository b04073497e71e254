import type { ModelFacts } from '@bulwark/core';
import { threatText } from '@bulwark/core/threat';
import { stringify } from 'yaml';
import { cardMarkdown } from './card-markdown.js';
import type { CardEvaluation, ModelCard } from './model-card.js';

/** What hubs call the data sets that come with Bulwark. */
const hubNames: Readonly<Record<string, string>> = {
  'fashion-mnist': 'zalando-datasets/fashion_mnist',
  'fashion-mnist-mini': 'zalando-datasets/fashion_mnist',
  mnist: 'ylecun/mnist',
  cifar10: 'uoft-cs/cifar10',
  cifar100: 'uoft-cs/cifar100',
  svhn: 'ufldl-stanford/svhn',
};

const json = (value: unknown) => `${JSON.stringify(value, null, 2)}\n`;

/** `config.json` and `preprocessor_config.json`: what libraries of hubs read before they load weights. */
export function hubConfigs(facts: ModelFacts): Record<string, () => string> {
  const { inputShape, classes, architecture } = facts;
  const [height, width, channels] = inputShape;
  const names = facts.classNames ?? Array.from({ length: classes }, (_, i) => String(i));
  return {
    'config.json': () =>
      json({
        model_type: 'bulwark',
        ...(architecture && { architectures: [architecture.use] }),
        num_labels: classes,
        num_channels: channels,
        image_size: [height, width],
        id2label: Object.fromEntries(names.map((name, i) => [String(i), name])),
        label2id: Object.fromEntries(names.map((name, i) => [name, i])),
        bulwark: facts,
      }),
    // the model normalises itself: an image processor only divides bytes by 255
    'preprocessor_config.json': () =>
      json({
        do_resize: false,
        size: { height, width },
        do_rescale: true,
        rescale_factor: 1 / 255,
        do_normalize: false,
      }),
  };
}

const percent = (share: number) => Number((100 * share).toFixed(2));

/** A figure with its sample and uncertainty in the name, because tables of hubs show nothing else. */
function metric(name: string, of: CardEvaluation['clean'], images: number) {
  const [low, high] = of.interval.map(percent);
  return {
    type: 'accuracy',
    name: `${name}, n = ${images}, 95% interval ${low} to ${high}`,
    value: percent(of.accuracy),
    args: { images, interval: [low, high] },
  };
}

/** Clean accuracy of the largest sample, and AutoAttack's of each complete standard evaluation; nothing that was not measured. */
function metrics(evaluations: readonly CardEvaluation[]) {
  const largest = evaluations.reduce<CardEvaluation | undefined>(
    (most, each) => (each.images > (most?.images ?? 0) ? each : most),
    undefined,
  );
  if (!largest) return [];
  const standard = evaluations.filter(({ tier, complete }) => tier === 'full' && complete);
  return [
    metric('Clean accuracy (%)', largest.clean, largest.images),
    ...standard.map(({ robust, threat, images }) =>
      metric(`Robust accuracy under AutoAttack standard, ${threatText(threat)} (%)`, robust, images),
    ),
  ];
}

/** The README of a hub's folder: front matter for programs, then the card. */
export function hubReadme(card: ModelCard): string {
  const { name, data, evaluations, files } = card;
  const measured = metrics(evaluations);
  const type = hubNames[data.name];
  const front = {
    library_name: 'bulwark',
    pipeline_tag: 'image-classification',
    tags: [
      'image-classification',
      'adversarial-robustness',
      'safetensors',
      ...(files.some((file) => file.endsWith('.onnx')) ? ['onnx'] : []),
    ],
    ...(type !== undefined && { datasets: [type] }),
    ...(measured.length > 0 && {
      metrics: ['accuracy'],
      'model-index': [
        {
          name,
          results: [
            {
              task: { type: 'image-classification', name: 'Image classification' },
              dataset: { type: type ?? data.name, name: data.name, split: 'test' },
              metrics: measured,
            },
          ],
        },
      ],
    }),
  };
  return `---\n${stringify(front)}---\n\n${cardMarkdown(card)}`;
}
