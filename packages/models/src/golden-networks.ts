import * as tf from '@tensorflow/tfjs-core';
import { BulwarkError, createNetwork, createRandom, type Network, type NetworkGraph, type Random } from '@bulwark/core';
import { preActResnet } from './architectures/preact-resnet.js';
import { resnet } from './architectures/resnet.js';
import { smallCnn } from './architectures/small-cnn.js';
import { vgg, vggDepths, type VggDepth } from './architectures/vgg.js';
import { wideResnet } from './architectures/wide-resnet.js';

const blocks = [2, 2, 2, 2];

const unknown = (name: string, what: string) =>
  new BulwarkError('MODEL_INVALID', `${name}: ${what}`, {
    hint: 'known are resnet18, preactresnet18, vgg<depth>, wrn-<depth>-<width>, small-cnn, with _w<width>, _nc<classes>',
  });

/**
 * The graph that a golden file's model name means: `resnet18`, `resnet18_w6` (base width 6), `wrn-34-10_nosubblock`,
 * `wrn-10-1_nc100` (100 classes), `vgg16`, ...
 * @throws BulwarkError MODEL_INVALID
 */
export function goldenGraph(name: string, classes = 10): NetworkGraph {
  const [base, ...suffixes] = name.split('_') as [string, ...string[]];
  const size = { inputShape: [32, 32, 3] as const, classes };
  let width = 64;
  let finalNorm = true;
  for (const suffix of suffixes) {
    const [, key, value] = /^(w|nc)(\d+)$/.exec(suffix) ?? [];
    if (key === 'w') width = Number(value);
    else if (key === 'nc') size.classes = Number(value);
    else if (suffix === 'nofinalbn') finalNorm = false;
    // our Wide ResNets never allocate the unused block
    else if (suffix !== 'nosubblock') throw unknown(name, `suffix ${suffix} is not known`);
  }
  if (base === 'resnet18') return resnet({ ...size, width, blocks });
  if (base === 'preactresnet18') return preActResnet({ ...size, width, blocks, finalNorm, shortcut: 'activated' });
  if (base === 'small-cnn') return smallCnn({ inputShape: [28, 28, 1], classes: size.classes, width: 16 });
  const depth = Number(/^vgg(\d+)$/.exec(base)?.[1]) as VggDepth;
  if (vggDepths.includes(depth)) return vgg({ ...size, width, depth });
  const [, layers, factor] = /^wrn-(\d+)-(\d+)$/.exec(base) ?? [];
  if (!factor) throw unknown(name, 'the architecture is not known');
  return wideResnet({ ...size, depth: Number(layers), width: Number(factor) });
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
