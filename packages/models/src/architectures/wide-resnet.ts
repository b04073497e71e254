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
  /** Standardises every image by itself. */
  readonly perImage?: boolean;
  readonly variant?: 'plain' | 'ps-silu' | 'cosine';
}

const init = 'normal-fan-out';

/** What published variants change, besides depth and width. */
export interface WideResNetVariant extends Size {
  /** Channels of the stem and of the three stages. */
  readonly channels: readonly [number, number, number, number];
  /** Blocks per stage. */
  readonly blocks: number;
  readonly normalize?: InputNormalisation;
  /** Standardises every image by itself instead (Ding et al., 2020). */
  readonly perImage?: boolean;
  /** PSSiLU instead of ReLU, with parameters that the whole network shares (Dai et al., 2022). */
  readonly psSilu?: boolean;
  /** Cosines instead of a linear layer (Pang et al., 2020). */
  readonly cosine?: boolean;
}

type Activate = (x: NodeId) => NodeId;

/** As the pre-activation block, but the shortcut is a convolution only where the number of channels changes. */
function wideBlock(
  build: GraphBuilder,
  x: NodeId,
  { name, filters, stride, activate }: BlockOptions & { activate: Activate },
): NodeId {
  const h = activate(build.batchNorm(`${name}.bn1`, x));
  let y = build.conv(`${name}.conv1`, h, { filters, kernel: 3, stride, init });
  y = activate(build.batchNorm(`${name}.bn2`, y));
  y = build.conv(`${name}.conv2`, y, { filters, kernel: 3, init });
  if (build.channels(x) === filters) return build.add(y, x);
  return build.add(y, build.conv(`${name}.convShortcut`, h, { filters, kernel: 1, stride, padding: 0, init }));
}

/** Wide ResNets of any channels, with what published robust models changed. */
export function wideResnetVariant(options: WideResNetVariant): NetworkGraph {
  const { channels, blocks, perImage, psSilu, cosine, classes } = options;
  const [stem, ...stages] = channels;
  return networkGraph(options.inputShape, (build) => {
    const activate: Activate = (x) => (psSilu ? build.psSilu('activation', x) : build.relu(x));
    const image = perImage ? build.standardize(build.input) : normalised(build, options.normalize);
    let x = build.conv('conv1', image, { filters: stem, kernel: 3, init });
    for (const [stage, filters] of stages.entries())
      for (let i = 0; i < blocks; i++)
        x = wideBlock(build, x, {
          name: `block${stage + 1}.layer.${i}`,
          filters,
          stride: i === 0 && stage > 0 ? 2 : 1,
          activate,
        });
    x = build.globalAveragePool(activate(build.batchNorm('bn1', x)));
    return cosine
      ? build.cosine('fc', x, { units: classes })
      : build.linear('fc', x, { units: classes, zeroBias: true });
  });
}

/**
 * Wide ResNet (Zagoruyko and Komodakis, 2016; arXiv:1605.07146) as in TRADES, without dropout. TRADES' unused `sub_block1` is
 * not allocated; checkpoints that have it can be read.
 */
export function wideResnet({ depth, width, variant, ...options }: WideResNetOptions): NetworkGraph {
  const blocks = (depth - 4) / 6;
  if (!Number.isInteger(blocks) || blocks < 1)
    throw new BulwarkError('CONFIG_INVALID', `model.depth ${depth}: a Wide ResNet has 6 m + 4 layers`, {
      hint: 'use 10, 16, 22, 28, 34, 40, ...',
    });
  const channels = [16, 16 * width, 32 * width, 64 * width] as const;
  return wideResnetVariant({
    ...options,
    channels,
    blocks,
    psSilu: variant === 'ps-silu',
    cosine: variant === 'cosine',
  });
}
