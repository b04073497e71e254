import {
  BulwarkError,
  type GraphBuilder,
  type InputNormalisation,
  networkGraph,
  type NetworkGraph,
  type NodeId,
} from '@bulwark/core';
import { normalised, type Size } from './options.js';
import type { BlockOptions } from './resnet.js';

export interface WideResNetOptions extends Size {
  /** Layers: 6 m + 4 for m blocks per stage. */
  readonly depth: number;
  /** The factor k on the 16, 32, 64 channels of the three stages. */
  readonly width: number;
  readonly normalize?: InputNormalisation;
}

const init = 'normal-fan-out';

/** As the pre-activation block, but the shortcut is a convolution only where the number of channels changes. */
function wideBlock(build: GraphBuilder, x: NodeId, { name, filters, stride }: BlockOptions): NodeId {
  const h = build.relu(build.batchNorm(`${name}.bn1`, x));
  let y = build.conv(`${name}.conv1`, h, { filters, kernel: 3, stride, init });
  y = build.relu(build.batchNorm(`${name}.bn2`, y));
  y = build.conv(`${name}.conv2`, y, { filters, kernel: 3, init });
  if (build.channels(x) === filters) return build.add(y, x);
  return build.add(y, build.conv(`${name}.convShortcut`, h, { filters, kernel: 1, stride, padding: 0, init }));
}

/**
 * Wide ResNet (Zagoruyko and Komodakis, 2016; arXiv:1605.07146) as in TRADES, without dropout. TRADES' unused `sub_block1` is
 * not allocated; checkpoints that have it can be read.
 */
export function wideResnet(options: WideResNetOptions): NetworkGraph {
  const { depth, width } = options;
  const blocks = (depth - 4) / 6;
  if (!Number.isInteger(blocks) || blocks < 1)
    throw new BulwarkError('CONFIG_INVALID', `model.depth ${depth}: a Wide ResNet has 6 m + 4 layers`, {
      cure: 'use 10, 16, 22, 28, 34, 40, ...',
    });
  return networkGraph(options.inputShape, (build) => {
    let x = build.conv('conv1', normalised(build, options.normalize), { filters: 16, kernel: 3, init });
    for (const [stage, channels] of [16, 32, 64].entries())
      for (let i = 0; i < blocks; i++)
        x = wideBlock(build, x, {
          name: `block${stage + 1}.layer.${i}`,
          filters: channels * width,
          stride: i === 0 && stage > 0 ? 2 : 1,
        });
    x = build.globalAveragePool(build.relu(build.batchNorm('bn1', x)));
    return build.linear('fc', x, { units: options.classes, zeroBias: true });
  });
}
