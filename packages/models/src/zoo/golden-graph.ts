import { BulwarkError, type NetworkGraph } from '@bulwark/core';
import type { Activation } from '../architectures/activations.js';
import { bottleneckResnet } from '../architectures/bottleneck-resnet.js';
import { dmPreActResnet } from '../architectures/dm-preact-resnet.js';
import { dmWideResnet } from '../architectures/dm-wide-resnet.js';
import { preActResnet } from '../architectures/preact-resnet.js';
import { robustWideResnet } from '../architectures/robust-wide-resnet.js';
import { wideResnetVariant } from '../architectures/wide-resnet.js';

/** How a golden file of a zoo network (`bulwark-zoo-model/1`) describes its architecture. */
export interface ZooArchitecture {
  readonly family: string;
  readonly channels?: readonly [number, number, number, number];
  readonly depth?: number | readonly [number, number, number];
  readonly baseWidth?: number;
  readonly blocks?: readonly number[];
  readonly activation?: string;
  readonly mean?: readonly number[];
  readonly std?: readonly number[];
  readonly inputNorm?: string;
  readonly block?: string;
  readonly outShortcut?: boolean;
  readonly bnBeforeFc?: boolean;
  readonly stemWidth?: number;
  readonly stageWidth?: readonly [number, number, number];
  readonly seRatio?: number;
  readonly bnMomentumTorch?: number;
}

/** The graph of a narrow instance of a zoo network. @throws BulwarkError MODEL_INVALID */
export function zooGoldenGraph(given: ZooArchitecture, classes: number): NetworkGraph {
  const { family, mean, std, channels = [16, 16, 32, 64], baseWidth: width = 64 } = given;
  const size = {
    inputShape: [32, 32, 3] as const,
    classes,
    ...(mean && std && { normalize: { mean: mean.map(Math.fround), std: std.map(Math.fround) } }),
  };
  const activation = given.activation as Activation;
  const perStage = typeof given.depth === 'number' ? (given.depth - 4) / 6 : 1;
  const stages = Array.isArray(given.depth)
    ? (given.depth as [number, number, number])
    : ([perStage, perStage, perStage] as const);
  switch (family) {
    case 'DMWideResNet':
      return dmWideResnet({ ...size, channels, blocks: stages, activation });
    case 'MeanSparse-DMWideResNet':
      return dmWideResnet({ ...size, channels, blocks: stages, activation, sparse: true });
    case 'RaWideResNet':
      return dmWideResnet({
        ...size,
        channels: [given.stemWidth!, ...given.stageWidth!],
        blocks: stages,
        activation,
        squeeze: given.seRatio!,
        momentum: given.bnMomentumTorch,
      });
    case 'DMPreActResNet':
      return dmPreActResnet({ ...size, width, activation });
    case 'PreActResNet':
      return preActResnet({
        ...size,
        width,
        blocks: given.blocks!,
        finalNorm: given.bnBeforeFc!,
        shortcut: given.block === 'PreActBlockV2' || given.outShortcut ? 'activated' : 'raw',
      });
    case 'RobustWideResNet':
      return robustWideResnet({ ...size, channels, blocks: stages, activation, version: 2021 });
    case 'WRN-A4':
      return robustWideResnet({ ...size, channels, blocks: stages, activation, version: 2022 });
    case 'ResNet-Bottleneck':
      return bottleneckResnet({ ...size, width, blocks: given.blocks! });
    case 'WideResNet':
      return wideResnetVariant({ ...size, channels, blocks: perStage, perImage: given.inputNorm === 'perImage' });
    case 'PSSiLU-WideResNet':
      return wideResnetVariant({ ...size, channels, blocks: perStage, psSilu: true });
    case 'BoostingWideResNet':
      return wideResnetVariant({ ...size, channels, blocks: perStage, cosine: true });
    default:
      throw new BulwarkError('MODEL_INVALID', `family ${family} is not known`, { hint: 'update Bulwark' });
  }
}
