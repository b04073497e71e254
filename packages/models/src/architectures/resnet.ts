import {
  type GraphBuilder,
  type InputNormalisation,
  networkGraph,
  type NetworkGraph,
  type NodeId,
} from '@bulwark/core';
import { normalised, type Size } from './options.js';

export interface ResNetOptions extends Size {
  /** Channels of the first stage; every later one has twice as many. */
  readonly width: number;
  /** Blocks per stage: `[2, 2, 2, 2]` is ResNet-18, `[3, 4, 6, 3]` ResNet-34. */
  readonly blocks: readonly number[];
  readonly normalize?: InputNormalisation;
}

export interface BlockOptions {
  readonly name: string;
  readonly filters: number;
  readonly stride: number;
}

export type Block = (build: GraphBuilder, x: NodeId, options: BlockOptions) => NodeId;

/** Stages of blocks named `layer<stage>.<block>`; the first block of every stage but the first halves the image. */
export function stages(build: GraphBuilder, x: NodeId, options: { block: Block } & ResNetOptions): NodeId {
  for (const [stage, count] of options.blocks.entries())
    for (let i = 0; i < count; i++)
      x = options.block(build, x, {
        name: `layer${stage + 1}.${i}`,
        filters: options.width * 2 ** stage,
        stride: i === 0 && stage > 0 ? 2 : 1,
      });
  return x;
}

/** `ReLU(BN(conv(ReLU(BN(conv_s(x))))) + S(x))` with `S = BN(conv1x1_s(x))` where shapes change. */
const basicBlock: Block = (build, x, { name, filters, stride }) => {
  let y = build.conv(`${name}.conv1`, x, { filters, kernel: 3, stride });
  y = build.relu(build.batchNorm(`${name}.bn1`, y));
  y = build.batchNorm(`${name}.bn2`, build.conv(`${name}.conv2`, y, { filters, kernel: 3 }));
  const fits = stride === 1 && build.channels(x) === filters;
  const shortcut = fits
    ? x
    : build.batchNorm(`${name}.shortcut.1`, build.conv(`${name}.shortcut.0`, x, { filters, kernel: 1, stride }));
  return build.relu(build.add(y, shortcut));
};

/** ResNet for small images (He et al., 2016, section 4.2; arXiv:1512.03385): 3x3 stem without pooling, basic blocks. */
export function resnet(options: ResNetOptions): NetworkGraph {
  return networkGraph(options.inputShape, (build) => {
    const stem = build.conv('conv1', normalised(build, options.normalize), { filters: options.width, kernel: 3 });
    const x = stages(build, build.relu(build.batchNorm('bn1', stem)), { ...options, block: basicBlock });
    return build.linear('linear', build.globalAveragePool(x), { units: options.classes });
  });
}
