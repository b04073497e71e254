import { readFileSync } from 'node:fs';
import { BulwarkError, type ArchitectureSpec } from '@bulwark/core';
import { nearest } from '@bulwark/core/plugins';

/** A published robust model. Figures are percent. */
export interface ZooEntry {
  readonly id: string;
  readonly dataset: 'cifar10' | 'cifar100';
  readonly threat: 'Linf' | 'L2';
  readonly family: string;
  readonly args: readonly unknown[];
  readonly kwargs: Readonly<Record<string, unknown>>;
  readonly normalisation: {
    readonly mean?: readonly number[];
    readonly std?: readonly number[];
    readonly rule?: string;
  } | null;
  /** Files that hold its weights. */
  readonly files: number;
  /** As RobustBench names it. */
  readonly architecture: string;
  readonly venue: string;
  readonly clean: number;
  readonly autoattack: number | null;
  /** A stronger evaluation than AutoAttack, where there is one. */
  readonly external: number | null;
  readonly eps: string;
  /** The figure that ranks it. */
  readonly robust: number;
  readonly rank: number;
}

let table: readonly ZooEntry[] | undefined;

/** Every CIFAR-10 and CIFAR-100 model of RobustBench that has a checkpoint, best first within a threat model. */
export function zooEntries(): readonly ZooEntry[] {
  table ??= (
    JSON.parse(readFileSync(new URL('../../data/zoo.json', import.meta.url), 'utf8')) as { models: ZooEntry[] }
  ).models.toSorted(
    (a, b) => a.dataset.localeCompare(b.dataset) || b.threat.localeCompare(a.threat) || a.rank - b.rank,
  );
  return table;
}

/** The name that only this entry has: `cifar10/Linf/Wang2023Better_WRN-28-10`. */
export const zooPath = ({ dataset, threat, id }: ZooEntry): string => `${dataset}/${threat}/${id}`;

/** Where RobustBench's loader puts the file. */
export const zooFile = (entry: ZooEntry): string =>
  entry.files > 1
    ? Array.from({ length: entry.files }, (_, i) => `models/${zooPath(entry)}_m${i}.pt`).join(', ')
    : `models/${zooPath(entry)}.pt`;

/**
 * The entry of a name, with or without data set and threat model before it. Without, CIFAR-10 and Linf come first.
 * @throws BulwarkError USAGE
 */
export function findZooEntry(name: string): ZooEntry {
  const entries = zooEntries();
  const found = entries.find((entry) => zooPath(entry) === name || entry.id === name);
  if (found) return found;
  const ids = [...new Set(entries.map(({ id }) => id))];
  const near = nearest(name.split('/').at(-1)!, ids);
  const longer = near ? [near] : ids.filter((id) => id.toLowerCase().includes(name.toLowerCase())).slice(0, 6);
  throw new BulwarkError('USAGE', `no published model is called ${name}`, {
    hint: longer.length > 0 ? `did you mean ${longer.join(' or ')}?` : 'run `bulwark models` to see all',
  });
}

/** Families without a graph here, and what they need. */
const missing: readonly [family: RegExp, why: string][] = [
  [/^XCiT/, 'a transformer: attention layers are missing'],
  [/^MixedNUTS|^Composite/, 'mixes several networks, one of them a BiT ResNet-152x2'],
  [/^SODEF/, 'ends in a neural ordinary differential equation'],
  [/^ResNeSt/, 'split attention is missing'],
  [/^Ensemble/, 'an ensemble of three networks in three files'],
];

/** Why a model cannot be built here; undefined if it can. */
export const whyNotInZoo = ({ family }: ZooEntry): string | undefined =>
  missing.find(([pattern]) => pattern.test(family))?.[1];

const wide = (depth: number, width: number) => ({
  channels: [16, 16 * width, 32 * width, 64 * width],
  blocks: [1, 1, 1].map(() => (depth - 4) / 6),
});
const raWrn = {
  channels: [96, 216, 432, 864],
  blocks: [30, 31, 10],
  activation: 'silu',
  squeeze: 0.25,
  momentum: 0.01,
};

function withoutNormalisation({ family, args, kwargs, normalisation }: ZooEntry): ArchitectureSpec {
  const depth = Number(kwargs['depth'] ?? args[0] ?? 34);
  const width = Number(kwargs['widen_factor'] ?? args[1] ?? 10);
  switch (family) {
    case 'WideResNet':
      return { use: 'wide-resnet', depth, width, perImage: normalisation?.rule?.startsWith('per image') ?? false };
    case 'PSSiLU-WideResNet':
      return { use: 'wide-resnet', depth: 28, width: 10, variant: 'ps-silu' };
    case 'BoostingWideResNet':
      return { use: 'wide-resnet', depth: 34, width: 20, variant: 'cosine' };
    case 'DMWideResNet':
      return { use: 'dm-wide-resnet', ...wide(depth, Number(kwargs['width'])), activation: 'silu' };
    case 'MeanSparse-DMWideResNet': {
      const [, deep, broad] = /wrn_(\d+)_(\d+)/.exec(String(args[0]))!;
      return { use: 'dm-wide-resnet', ...wide(Number(deep), Number(broad)), activation: 'silu', sparse: true };
    }
    case 'RaWideResNet':
      return { use: 'dm-wide-resnet', ...raWrn };
    case 'MeanSparse-RaWideResNet':
      return { use: 'dm-wide-resnet', ...raWrn, sparse: true };
    case 'DMPreActResNet':
      return { use: 'dm-preact-resnet18', width: 64, activation: 'silu' };
    case 'RobustWideResNet': {
      const { channel_configs: channels, depth_configs: blocks } = kwargs;
      return { use: 'robust-wide-resnet', channels, blocks, activation: 'relu', version: 2021 };
    }
    case 'WRN-A4': {
      const sizes = { channels: [16, 160, 448, 384], blocks: [27, 28, 13] };
      return { use: 'robust-wide-resnet', ...sizes, activation: 'silu', version: 2022 };
    }
    case 'PreActResNet': {
      const activated = args[0] === 'PreActBlockV2' || kwargs['out_shortcut'] === true;
      const finalNorm = kwargs['bn_before_fc'] === true;
      return { use: 'preact-resnet18', width: 64, finalNorm, shortcut: activated ? 'activated' : 'raw' };
    }
    case 'ResNet (Bottleneck)':
      return { use: 'resnet50', width: 64 };
    default:
      return { use: 'resnet18', width: 64 };
  }
}

/**
 * The `model` section of a config that builds this model.
 * @throws BulwarkError MODEL_INVALID for families without a graph here, with the reason
 */
export function zooArchitecture(entry: ZooEntry): ArchitectureSpec {
  const why = whyNotInZoo(entry);
  if (why !== undefined)
    throw new BulwarkError('MODEL_INVALID', `${entry.id} (${entry.architecture}) cannot be built: ${why}`, {
      hint: '`bulwark models` lists those that can',
    });
  const { normalisation } = entry;
  const spec = withoutNormalisation(entry);
  if (normalisation?.rule === '2x-1') return { ...spec, normalize: { mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] } };
  const { mean, std } = normalisation ?? {};
  return mean && std ? { ...spec, normalize: { mean, std } } : spec;
}
