import { type InputNormalisation, networkGraph, type NetworkGraph } from '@bulwark/core';
import { normalised, type Size } from './options.js';

/** The depths that VGG comes in. */
export const vggDepths = [11, 13, 16, 19] as const;
/** Number of layers with weights. */
export type VggDepth = (typeof vggDepths)[number];

/** Convolutions in each of the five stages; a 2x2 max pool follows every stage. */
const convolutions: Readonly<Record<VggDepth, readonly number[]>> = {
  11: [1, 1, 2, 2, 2],
  13: [2, 2, 2, 2, 2],
  16: [2, 2, 3, 3, 3],
  19: [2, 2, 4, 4, 4],
};

/** VGG with BatchNorm and one linear layer (Simonyan and Zisserman, 2015; arXiv:1409.1556), for images of 32x32 or more. */
export function vgg(options: Size & { depth: VggDepth; width: number; normalize?: InputNormalisation }): NetworkGraph {
  return networkGraph(options.inputShape, (build) => {
    let x = normalised(build, options.normalize);
    // the position in PyTorch's Sequential, where ReLU and pools count, too
    let index = 0;
    for (const [stage, count] of convolutions[options.depth].entries()) {
      const filters = options.width * 2 ** Math.min(stage, 3);
      for (let i = 0; i < count; i++, index += 3) {
        x = build.conv(`features.${index}`, x, { filters, kernel: 3, bias: true });
        x = build.relu(build.batchNorm(`features.${index + 1}`, x));
      }
      x = build.maxPool(x, 2);
      index += 1;
    }
    return build.linear('classifier', build.globalAveragePool(x), { units: options.classes });
  });
}
