import { type InputNormalisation, networkGraph, type NetworkGraph } from '@bulwark/core';
import { normalised, type Size } from './options.js';

/** `depth` hidden layers of `width` units with ReLU on the flattened image, then a linear layer. No BatchNorm. */
export function mlp(options: Size & { width: number; depth: number; normalize?: InputNormalisation }): NetworkGraph {
  return networkGraph(options.inputShape, (build) => {
    let x = build.flatten(normalised(build, options.normalize));
    for (let layer = 1; layer <= options.depth; layer++)
      x = build.relu(build.linear(`fc${layer}`, x, { units: options.width }));
    return build.linear('fc', x, { units: options.classes });
  });
}
