import { counted } from '@bulwark/core/plugins';
import { stringify } from 'yaml';
import type { CardEvaluation, ModelCard } from './model-card.js';

const percent = (share: number): string => `${(100 * share).toFixed(2)}%`;
const interval = ([low, high]: readonly [number, number]): string => `${percent(low)} to ${percent(high)}`;
const threatText = ({ norm, epsilon }: { norm: string; epsilon: number }): string =>
  `${norm}, epsilon ${+epsilon.toFixed(6)} (${+(255 * epsilon).toFixed(3)}/255)`;

const promises: Readonly<Record<string, string>> = {
  quick: 'a quick look with one attack; robustness may be much lower',
  fast: 'close to AutoAttack on most models',
  full: 'AutoAttack standard',
  custom: 'attacks chosen by hand',
};

function evaluationLines(evaluation: CardEvaluation): string[] {
  const { tier, images, clean, robust, complete, attacks, findings, seed, threat, arithmetic } = evaluation;
  return [
    `### Tier \`${tier}\`: ${promises[tier] ?? 'as named'}`,
    '',
    `${images} test images, ${threatText(threat)}, attack seed ${seed}.`,
    ...(complete ? [] : ['', '**Not complete: attacks are missing, the figures are upper bounds.**']),
    ...(arithmetic === undefined ? [] : ['', `**Not float32 throughout: ${arithmetic}.**`]),
    '',
    '| | accuracy | 95% interval |',
    '| --- | --- | --- |',
    `| clean | ${percent(clean.accuracy)} | ${interval(clean.interval)} |`,
    `| worst case over all attacks | ${percent(robust.accuracy)} | ${interval(robust.interval)} |`,
    ...attacks.map(({ label, accuracy }) => `| ${label} | ${percent(accuracy)} | |`),
    ...(findings.length > 0 ? ['', 'Findings that make these figures less trustworthy:', ''] : []),
    ...findings.map((finding) => `- ${finding}`),
    '',
  ];
}

function trainingLines({ training }: ModelCard): string[] {
  if (!training) return ['The weights were not trained by this installation; how is not recorded.', ''];
  const { objective, cite, seed, engine, arithmetic, versions, config } = training;
  return [
    `Objective \`${String(objective['use'])}\`${cite ? ` (${cite})` : ''}, ${counted(config.epochs, 'epoch')}, seed ${seed}, engine ${engine}.`,
    ...(arithmetic ? [`**Not float32 throughout: ${arithmetic}.**`] : []),
    `Versions: ${Object.entries(versions)
      .map(([name, version]) => `${name} ${version}`)
      .join(', ')}.`,
    '',
    '```yaml',
    stringify(config).trimEnd(),
    '```',
    '',
  ];
}

function normalisationText({ normalize }: ModelCard['input']): string {
  if (normalize === undefined) return '';
  if (normalize === null) return ' The network does not normalise.';
  const list = (values: readonly number[]) => `[${values.map((value) => +value.toPrecision(9)).join(', ')}]`;
  return ` The network begins with (x - mean) / std, mean ${list(normalize.mean)}, std ${list(normalize.std)}.`;
}

function imagesText({ shape: [height, width, channels], layout }: ModelCard['input']): string {
  const first = layout === 'NCHW';
  const sizes = first ? [channels, height, width] : [height, width, channels];
  return `[batch, ${sizes.join(', ')}], float32 in [0, 1] (pixel / 255), channels ${first ? 'first' : 'last'}`;
}

const usageLines = ({ framework, text, code }: ModelCard['usage'][number]): string[] => [
  `**${framework}.** ${text}`,
  '',
  ...(code === undefined ? [] : ['```', code, '```', '']),
];

/** The card for people. */
export function cardMarkdown(card: ModelCard): string {
  const { architecture, input, output, usage, data, threat, evaluations, files, weights } = card;
  const cost = architecture.multiplyAccumulates;
  const lines = [
    `# ${card.name}: ${architecture.name} for ${data.name}`,
    '',
    `${architecture.parameters.toLocaleString('en-US')} parameters${cost ? `, ${cost.toLocaleString('en-US')} multiply-accumulates per image` : ''}. Weights: ${weights}.`,
    '',
    `- Input: images ${imagesText(input)}.${normalisationText(input)}`,
    `- Output: logits of ${output.classes.length} classes, no softmax: ${output.classes.join(', ')}.`,
    `- Files: ${files.map((file) => `\`${file}\``).join(', ')}.`,
    '',
    '## Use',
    '',
    ...usage.flatMap(usageLines),
    '## Threat model',
    '',
    `Trained to withstand perturbations of ${threatText(threat)}. It promises nothing against other norms, larger radii, or changes that are not perturbations of pixels.`,
    '',
    '## Data',
    '',
    `${data.name}: ${data.train} training images, ${data.test} test images.`,
    ...data.notes.map((note) => `- ${note}`),
    '',
    '## Evaluation',
    '',
    ...(evaluations.length > 0
      ? evaluations.flatMap(evaluationLines)
      : ['None of these very weights. Robust accuracy is unknown: run `bulwark evaluate` and export again.', '']),
    '## Training',
    '',
    ...trainingLines(card),
  ];
  return `${lines.join('\n').trimEnd()}\n`;
}
