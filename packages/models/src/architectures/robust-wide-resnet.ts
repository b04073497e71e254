import { networkGraph, type InputNormalisation, type NetworkGraph } from '@bulwark/core';
import { activate, type Activation } from './activations.js';
import { normalised, type Size } from './options.js';

export interface RobustWideResNetOptions extends Size {
  /** Channels of the stem and of the three stages. */
  readonly channels: readonly [number, number, number, number];
  readonly blocks: readonly [number, number, number];
  readonly activation: Activation;
  readonly normalize?: InputNormalisation;
  /** Names and shortcuts of `RobustWideResNet` (Huang 2021), or of WRN-A4 (Huang 2022). */
  readonly version: 2021 | 2022;
}

/**
 * Wide ResNets of free depths and widths (Huang et al., 2021; arXiv:2110.03825, and 2022; arXiv:2212.11005). The shortcut reads the activated
 * input; it is a convolution where channels change (2021), or also where the stride is 2 (2022).
 */
export function robustWideResnet(options: RobustWideResNetOptions): NetworkGraph {
  const { channels, blocks, activation, version } = options;
  const [stem, ...stages] = channels;
  const later = version === 2022;
  return networkGraph(options.inputShape, (build) => {
    let x = build.conv('stem_conv', normalised(build, options.normalize), { filters: stem, kernel: 3 });
    for (const [stage, filters] of stages.entries())
      for (let i = 0; i < blocks[stage]!; i++) {
        const name = `blocks.${stage}.layer.${i}`;
        const stride = i === 0 && stage > 0 ? 2 : 1;
        const a = activate(build, activation, build.batchNorm(`${name}.bn1`, x));
        let y = build.conv(`${name}.conv1`, a, { filters, kernel: 3, stride });
        y = activate(build, activation, build.batchNorm(`${name}.bn2`, y));
        y = build.conv(`${name}.conv2`, y, { filters, kernel: 3 });
        const changes = build.channels(x) !== filters || (later && stride !== 1);
        const shortcut = `${name}.${later ? 'shortcut.0' : 'convShortcut'}`;
        x = build.add(y, changes ? build.conv(shortcut, a, { filters, kernel: 1, stride, padding: 0 }) : x);
      }
    x = activate(build, activation, build.batchNorm(later ? 'norm1' : 'bn1', x));
    return build.linear('fc', build.globalAveragePool(x), { units: options.classes });
  });
}
