import { type InputNormalisation, networkGraph, type NetworkGraph } from '@bulwark/core';
import { normalised, type Size } from './options.js';

/**
 * Three convolutions with BatchNorm (width, 2 width, 4 width channels; strides 1, 2, 2), mean over the image, one linear layer.
 * The network of the reference study: 24,058 parameters for 28x28x1 images, 10 classes, width 16.
 */
export function smallCnn(options: Size & { width: number; normalize?: InputNormalisation }): NetworkGraph {
  return networkGraph(options.inputShape, (build) => {
    let x = normalised(build, options.normalize);
    for (const [index, stride] of [1, 2, 2].entries()) {
      const name = String(index + 1);
      x = build.conv(`conv${name}`, x, { filters: options.width * 2 ** index, kernel: 3, stride });
      x = build.relu(build.batchNorm(`bn${name}`, x));
    }
    return build.linear('fc', build.globalAveragePool(x), { units: options.classes });
  });
}
