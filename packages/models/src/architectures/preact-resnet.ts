import { networkGraph, type NetworkGraph } from '@bulwark/core';
import { normalised } from './options.js';
import { stages, type Block, type ResNetOptions } from './resnet.js';

/** Published variants differ here; the defaults of the plugin are AWP's. */
export interface PreActOptions extends ResNetOptions {
  /** BatchNorm and ReLU before the pool. */
  readonly finalNorm: boolean;
  /** What a shortcut convolution reads: the activated input of the block, or the raw one. */
  readonly shortcut: 'activated' | 'raw';
}

/** `h = ReLU(BN(x))`; `conv(ReLU(BN(conv_s(h)))) + S` with `S = conv1x1_s` where shapes change, else x. */
const preActBlock =
  (shortcut: PreActOptions['shortcut']): Block =>
  (build, x, { name, filters, stride }) => {
    const h = build.relu(build.batchNorm(`${name}.bn1`, x));
    let y = build.conv(`${name}.conv1`, h, { filters, kernel: 3, stride });
    y = build.relu(build.batchNorm(`${name}.bn2`, y));
    y = build.conv(`${name}.conv2`, y, { filters, kernel: 3 });
    if (stride === 1 && build.channels(x) === filters) return build.add(y, x);
    const from = shortcut === 'activated' ? h : x;
    return build.add(y, build.conv(`${name}.shortcut.0`, from, { filters, kernel: 1, stride }));
  };

/** Pre-activation ResNet (He et al., 2016; arXiv:1603.05027), as in AWP and robust overfitting. */
export function preActResnet(options: PreActOptions): NetworkGraph {
  return networkGraph(options.inputShape, (build) => {
    const stem = build.conv('conv1', normalised(build, options.normalize), { filters: options.width, kernel: 3 });
    let x = stages(build, stem, { ...options, block: preActBlock(options.shortcut) });
    if (options.finalNorm) x = build.relu(build.batchNorm('bn', x));
    return build.linear('linear', build.globalAveragePool(x), { units: options.classes });
  });
}
