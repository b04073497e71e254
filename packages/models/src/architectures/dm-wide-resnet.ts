import {
  networkGraph,
  type GraphBuilder,
  type InputNormalisation,
  type NetworkGraph,
  type NodeId,
} from '@bulwark/core';
import { activate, sameConv, type Activation } from './activations.js';
import { normalised, type Size } from './options.js';

/** DeepMind's Wide ResNet and what was made of it. */
export interface DmWideResNetOptions extends Size {
  /** Channels of the stem and of the three stages: 16, 16k, 32k, 64k. */
  readonly channels: readonly [number, number, number, number];
  /** Blocks of each stage. */
  readonly blocks: readonly [number, number, number];
  readonly activation: Activation;
  readonly normalize?: InputNormalisation;
  /** Squeeze and excitation with this share of a block's channels (RaWRN). */
  readonly squeeze?: number;
  /** Share of a new batch in running statistics (RaWRN: 0.01). */
  readonly momentum?: number;
  /** MeanSparse after every BatchNorm and addition. */
  readonly sparse?: boolean;
}

/** Halves to even, as Python rounds. */
function roundEven(value: number): number {
  const below = Math.floor(value);
  const rest = value - below;
  if (rest !== 0.5) return Math.round(value);
  return below % 2 === 0 ? below : below + 1;
}

interface BlockOptions extends Pick<DmWideResNetOptions, 'activation' | 'squeeze' | 'sparse' | 'momentum'> {
  readonly name: string;
  readonly filters: number;
  readonly stride: number;
}

/** The activated input is also the shortcut's where the number of channels changes; elsewhere the raw input is added. */
function block(build: GraphBuilder, x: NodeId, options: BlockOptions): NodeId {
  const { name, filters, stride, activation, squeeze, sparse, momentum } = options;
  const sparsed = (i: number, y: NodeId) => (sparse ? build.meanSparse(`${name}.meansparse_${i}`, y) : y);
  const norm = (i: number, y: NodeId) =>
    activate(build, activation, sparsed(i, build.batchNorm(`${name}.batchnorm_${i}`, y, { momentum })));
  const a = norm(0, x);
  const changes = build.channels(x) !== filters;
  const shortcut = changes ? build.conv(`${name}.shortcut`, a, { filters, kernel: 1, stride, padding: 0 }) : x;
  let y = sameConv(build, `${name}.conv_0`, a, { filters, stride });
  y = build.conv(`${name}.conv_1`, norm(1, y), { filters, kernel: 3 });
  if (squeeze !== undefined) y = build.squeezeExcitation(`${name}.se`, y, { squeezed: roundEven(squeeze * filters) });
  return sparsed(2, build.add(y, shortcut));
}

/**
 * The Wide ResNet of Gowal et al. (2020; arXiv:2010.03593) and most models that followed: padding of TensorFlow, SiLU. With `squeeze` it is
 * RaWRN (Peng et al., 2023; arXiv:2308.16258), with `sparse` MeanSparse (Amini et al., 2024; arXiv:2406.05927).
 */
export function dmWideResnet(options: DmWideResNetOptions): NetworkGraph {
  const { channels, blocks, activation, sparse } = options;
  const [stem, ...stages] = channels;
  return networkGraph(options.inputShape, (build) => {
    let x = build.conv('init_conv', normalised(build, options.normalize), { filters: stem, kernel: 3 });
    for (const [stage, filters] of stages.entries())
      for (let i = 0; i < blocks[stage]!; i++)
        x = block(build, x, {
          ...options,
          name: `layer.${stage}.block.${i}`,
          filters,
          stride: i === 0 && stage > 0 ? 2 : 1,
        });
    x = build.batchNorm('batchnorm', x, { momentum: options.momentum });
    if (sparse) x = build.meanSparse('meansparse_end', x);
    return build.linear('logits', build.globalAveragePool(activate(build, activation, x)), { units: options.classes });
  });
}
