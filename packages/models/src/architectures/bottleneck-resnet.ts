import { networkGraph, type NetworkGraph } from '@bulwark/core';
import { normalised } from './options.js';
import { stages, type Block, type ResNetOptions } from './resnet.js';

const expansion = 4;

/** 1x1, 3x3 with the stride, 1x1 to four times the channels; the shortcut is a convolution where shapes change. */
const bottleneck: Block = (build, x, { name, filters, stride }) => {
  const wide = expansion * filters;
  let y = build.relu(build.batchNorm(`${name}.bn1`, build.conv(`${name}.conv1`, x, { filters, kernel: 1 })));
  y = build.relu(build.batchNorm(`${name}.bn2`, build.conv(`${name}.conv2`, y, { filters, kernel: 3, stride })));
  y = build.batchNorm(`${name}.bn3`, build.conv(`${name}.conv3`, y, { filters: wide, kernel: 1 }));
  const fits = stride === 1 && build.channels(x) === wide;
  const shortcut = fits
    ? x
    : build.batchNorm(`${name}.shortcut.1`, build.conv(`${name}.shortcut.0`, x, { filters: wide, kernel: 1, stride }));
  return build.relu(build.add(y, shortcut));
};

/** ResNet-50 for small images (He et al., 2016; arXiv:1512.03385): 3x3 stem without pooling, bottleneck blocks. */
export function bottleneckResnet(options: ResNetOptions): NetworkGraph {
  return networkGraph(options.inputShape, (build) => {
    const stem = build.conv('conv1', normalised(build, options.normalize), { filters: options.width, kernel: 3 });
    const x = stages(build, build.relu(build.batchNorm('bn1', stem)), { ...options, block: bottleneck });
    return build.linear('linear', build.globalAveragePool(x), { units: options.classes });
  });
}
