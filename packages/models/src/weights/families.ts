import type { NetworkGraph } from '@bulwark/core';
import { bottleneckResnet } from '../architectures/bottleneck-resnet.js';
import { dmPreActResnet } from '../architectures/dm-preact-resnet.js';
import { dmWideResnet, type DmWideResNetOptions } from '../architectures/dm-wide-resnet.js';
import { mlp } from '../architectures/mlp.js';
import { preActResnet } from '../architectures/preact-resnet.js';
import { resnet } from '../architectures/resnet.js';
import { robustWideResnet } from '../architectures/robust-wide-resnet.js';
import { smallCnn } from '../architectures/small-cnn.js';
import { vgg, vggDepths, type VggDepth } from '../architectures/vgg.js';
import { wideResnet } from '../architectures/wide-resnet.js';

/** What can be seen of a network under a prefix. */
export interface Sight {
  readonly shape: (name: string) => readonly number[] | undefined;
  /** Number of names that `name(1)`, `name(2)`, ... (or from 0) go on without a gap. */
  readonly count: (name: (i: number) => string, from?: number) => number;
}

/** How one architecture is recognised: a name that it always has, and the options that shapes tell. */
export interface Family {
  readonly use: string;
  readonly anchor: string;
  /** Where the number of classes is. */
  readonly head: string;
  guess(sight: Sight): Record<string, unknown> | undefined;
  graph(options: never): NetworkGraph;
}

const width = ({ shape }: Sight, name: string) => shape(name)?.[0];

/** Blocks of each stage, of names that begin with `layer1.0`. */
function stages({ count }: Sight): number[] {
  const stageCount = count((stage) => `layer${stage}.0.conv1.weight`);
  return Array.from({ length: stageCount }, (_, i) => count((block) => `layer${i + 1}.${block}.conv1.weight`, 0));
}

const wideSizes = (sight: Sight) => ({
  depth: 6 * sight.count((i) => `block1.layer.${i}.conv1.weight`, 0) + 4,
  width: (width(sight, 'block1.layer.0.conv1.weight') ?? 0) / 16,
});

const fourChannels = (sight: Sight, stem: string, name: (stage: number) => string): number[] =>
  [stem, ...[0, 1, 2].map(name)].map((conv) => width(sight, `${conv}.weight`) ?? 0);

const threeStages = ({ count }: Sight, name: (stage: number, block: number) => string): number[] =>
  [0, 1, 2].map((stage) => count((block) => `${name(stage, block)}.weight`, 0));

/** The share as people write it: a quarter, if rounding it gives this number. */
const shareOf = (part: number, whole: number): number => {
  const quarters = Math.round((4 * part) / whole) / 4;
  return Math.abs(quarters * whole - part) <= 0.5 ? quarters : part / whole;
};

/** The built-in architectures, each as it is recognised. */
export const families: readonly Family[] = [
  {
    use: 'small-cnn',
    anchor: 'conv3.weight',
    head: 'fc.weight',
    guess: (sight) => ({ width: width(sight, 'conv1.weight') }),
    graph: smallCnn,
  },
  {
    use: 'mlp',
    anchor: 'fc1.weight',
    head: 'fc.weight',
    guess: (sight) => ({ width: width(sight, 'fc1.weight'), depth: sight.count((i) => `fc${i}.weight`) }),
    graph: mlp,
  },
  {
    use: 'resnet18',
    anchor: 'layer1.0.conv1.weight',
    head: 'linear.weight',
    guess: (sight) => ({ width: width(sight, 'conv1.weight'), blocks: stages(sight) }),
    graph: resnet,
  },
  {
    use: 'preact-resnet18',
    anchor: 'layer1.0.conv1.weight',
    head: 'linear.weight',
    guess: (sight) => ({
      width: width(sight, 'conv1.weight'),
      blocks: stages(sight),
      finalNorm: sight.shape('bn.weight') !== undefined,
      shortcut: 'activated',
    }),
    graph: preActResnet,
  },
  {
    use: 'wide-resnet',
    anchor: 'block1.layer.0.conv1.weight',
    head: 'fc.weight',
    guess: (sight) => ({
      ...wideSizes(sight),
      // without a bias, and otherwise the same: logits are cosines, or the bias was left out
      ...(sight.shape('fc.bias') === undefined && { variant: 'cosine' }),
    }),
    graph: wideResnet,
  },
  {
    use: 'wide-resnet',
    anchor: 'activation.alpha',
    head: 'fc.weight',
    guess: (sight) => ({ ...wideSizes(sight), variant: 'ps-silu' }),
    graph: wideResnet,
  },
  {
    use: 'dm-wide-resnet',
    anchor: 'init_conv.weight',
    head: 'logits.weight',
    guess: (sight) => {
      const squeezed = width(sight, 'layer.0.block.0.se.fc1.weight');
      const channels = fourChannels(sight, 'init_conv', (stage) => `layer.${stage}.block.0.conv_1`);
      const sparse = sight.shape('meansparse_end.running_mean') !== undefined;
      return {
        channels,
        blocks: threeStages(sight, (stage, block) => `layer.${stage}.block.${block}.conv_1`),
        ...(squeezed !== undefined && { squeeze: shareOf(squeezed, channels[1]!) }),
        ...(sparse && { sparse }),
      };
    },
    graph: (options: DmWideResNetOptions) => dmWideResnet({ ...options, activation: 'silu' }),
  },
  {
    use: 'dm-preact-resnet18',
    anchor: 'conv_2d.weight',
    head: 'logits.weight',
    guess: (sight) => ({ width: width(sight, 'conv_2d.weight') }),
    graph: (options: Parameters<typeof dmPreActResnet>[0]) => dmPreActResnet({ ...options, activation: 'silu' }),
  },
  ...([2021, 2022] as const).map((version): Family => ({
    use: 'robust-wide-resnet',
    anchor: 'stem_conv.weight',
    head: 'fc.weight',
    guess: (sight) => ({
      channels: fourChannels(sight, 'stem_conv', (stage) => `blocks.${stage}.layer.0.conv2`),
      blocks: threeStages(sight, (stage, block) => `blocks.${stage}.layer.${block}.conv2`),
      version,
      activation: version === 2022 ? 'silu' : 'relu',
    }),
    graph: robustWideResnet,
  })),
  {
    use: 'resnet50',
    anchor: 'layer1.0.conv3.weight',
    head: 'linear.weight',
    guess: (sight) => ({ width: width(sight, 'conv1.weight'), blocks: stages(sight) }),
    graph: bottleneckResnet,
  },
  ...vggDepths.map((depth: VggDepth): Family => ({
    use: 'vgg',
    anchor: 'features.0.weight',
    head: 'classifier.weight',
    guess: (sight) => ({ depth, width: width(sight, 'features.0.weight') }),
    graph: vgg,
  })),
];
