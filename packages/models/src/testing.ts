import * as tf from '@tensorflow/tfjs-core';
import { createNetwork, createRandom, type Network, type NetworkGraph, type Random } from '@bulwark/core';
import { preActResnet } from './architectures/preact-resnet.js';
import { resnet } from './architectures/resnet.js';
import { smallCnn } from './architectures/small-cnn.js';
import { vgg, type VggDepth } from './architectures/vgg.js';
import { wideResnet } from './architectures/wide-resnet.js';

const blocks = [2, 2, 2, 2];

/** The graph that a golden file's model name means: `resnet18`, `resnet18_w6`, `wrn-34-10_nosubblock`, `vgg16`, ... */
export function goldenGraph(name: string, classes = 10): NetworkGraph {
  const size = { inputShape: [32, 32, 3] as const, classes };
  const [, base, suffix] = /^(.*?)(?:_(.*))?$/.exec(name) as unknown as [string, string, string | undefined];
  const width = suffix === 'w6' ? 6 : 64;
  if (base === 'resnet18') return resnet({ ...size, width, blocks });
  if (base === 'preactresnet18')
    return preActResnet({ ...size, width, blocks, finalNorm: suffix !== 'nofinalbn', shortcut: 'activated' });
  if (base === 'fmnist-small-trades') return smallCnn({ inputShape: [28, 28, 1], classes, width: 16 });
  if (base.startsWith('vgg')) return vgg({ ...size, width, depth: Number(base.slice(3)) as VggDepth });
  const [, depth, factor] = base.split('-').map(Number) as [number, number, number];
  return wideResnet({ ...size, depth, width: factor });
}

/** Draws nothing: for networks whose weights come from elsewhere. */
const noRandom: Random = {
  ...createRandom(0),
  uniform: <S extends tf.Rank>(shape: readonly number[]) => tf.zeros<S>([...shape] as tf.ShapeMap[S]),
  normal: <S extends tf.Rank>(shape: readonly number[]) => tf.zeros<S>([...shape] as tf.ShapeMap[S]),
};

/** The network of a golden file, with all weights zero. */
export function goldenNetwork(name: string, classes?: number): Network {
  return createNetwork(goldenGraph(name, classes), { name, random: noRandom });
}
