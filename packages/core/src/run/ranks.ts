import { existsSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { exchangeTexts, together, type Collective } from '../collective/index.js';
import { BulwarkError } from '../errors.js';
import { digestOf } from '../files/index.js';
import type { ComposedRun } from './compose.js';
import { fingerprintOf } from './fingerprint.js';
import { openRunFolder, type FrozenConfig, type RunFolder } from './run-folder.js';

/** What must be the same on all ranks, in words for messages. */
const comparisons = {
  bulwark: ['has Bulwark', 'install the same version on all machines'],
  node: ['runs Node', 'use the same Node on all machines'],
  engine: ['computes with the engine', 'name one engine in the config, or install the same on all machines'],
  data: ['has other training images, of digest', 'put the same data on all machines'],
} as const;

type Facts = Record<keyof typeof comparisons, string>;

/** What a rank tells the others of itself. */
interface Introduction {
  readonly host: string;
  readonly facts: Facts;
  /** In milliseconds, right after all have met. */
  readonly clock: number;
  /** Without the engine, which may have found other options on another machine. */
  readonly config: Readonly<Record<string, unknown>>;
}

/** A section of a config as far as a message has room. */
const short = (value: unknown) => {
  const text = JSON.stringify(value) ?? 'nothing';
  return text.length > 160 ? `${text.slice(0, 160)}...` : text;
};

/** @throws BulwarkError RANKS_DIFFER, if one of the others differs from the first */
function compare(all: readonly Introduction[]): void {
  const first = all[0]!;
  const fail = (rank: number, [theirs, ours]: [string, string], hint: string) => {
    const other = `rank ${rank} on ${all[rank]!.host} ${theirs}`;
    throw new BulwarkError('RANKS_DIFFER', `${other}, rank 0 on ${first.host} ${ours}`, { hint });
  };
  for (const [rank, { facts, config }] of all.entries()) {
    const check = (name: keyof Facts) => {
      const [has, hint] = comparisons[name];
      if (facts[name] !== first.facts[name]) fail(rank, [`${has} ${facts[name]}`, first.facts[name]], hint);
    };
    check('bulwark');
    check('node');
    check('engine');
    for (const key of Object.keys({ ...first.config, ...config }))
      if (digestOf({ x: config[key] }) !== digestOf({ x: first.config[key] })) {
        const texts: [string, string] = [`has ${key}: ${short(config[key])}`, short(first.config[key])];
        fail(rank, texts, 'start all ranks with the same config and --set');
      }
    check('data'); // other options of the data source are another config
  }
}

/** Seconds that clocks may be apart without a word. */
const clocksApart = 30;

/** Says whose clock is not that of rank 0: files and logs will tell another order of things than happened. */
function compareClocks(all: readonly Introduction[], warn: ((message: string) => void) | undefined): void {
  const first = all[0]!;
  const off = all.map(({ clock }) => Math.round((clock - first.clock) / 1000));
  const rank = off.findIndex((seconds) => Math.abs(seconds) > clocksApart);
  if (rank < 0) return;
  const by = `${Math.abs(off[rank]!)} s ${off[rank]! > 0 ? 'ahead of' : 'behind'}`;
  warn?.(
    `the clock of rank ${rank} on ${all[rank]!.host} is ${by} that of rank 0 on ${first.host}; training goes on, but times in files and logs do not fit together, and Slurm refuses such machines`,
  );
}

/** @throws BulwarkError RANKS_DIFFER on all ranks, naming the first that differs from rank 0; CONFIG_INVALID for batches too small */
export function checkSameOnAll(
  collective: Collective,
  { config, versions, engine }: Pick<FrozenConfig, 'config' | 'versions' | 'engine'>,
  { parts }: Pick<ComposedRun, 'parts'>,
  warn?: (message: string) => void,
): void {
  const data = fingerprintOf(config, parts.data.train).split(' data ')[1]!;
  const { engine: _named, ...computes } = config;
  const facts: Facts = {
    bulwark: versions['bulwark']!,
    node: versions['node']!.split('.')[0]!,
    engine,
    data: data.slice(0, 12),
  };
  collective.barrier();
  const own: Introduction = { host: hostname(), clock: Date.now(), facts, config: computes };
  const all = exchangeTexts(collective, JSON.stringify(own)).map((text) => JSON.parse(text) as Introduction);
  compare(all);
  compareClocks(all, warn);
  const { batchSize, accumulate } = config.data;
  if (batchSize < collective.size * accumulate)
    throw new BulwarkError(
      'CONFIG_INVALID',
      `data.batchSize is ${batchSize}, too few for ${collective.size} ranks with data.accumulate ${accumulate}`,
      { hint: `take batches of at least ${collective.size * accumulate}, or fewer ranks` },
    );
}

/** What a rank compares; not where the folder's relative paths lead, which depends on the way to it. */
const digestOfRun = ({ frozen: { config, versions, engine } }: RunFolder) => digestOf({ config, versions, engine });

/** The folder as ranks other than 0 see it: nothing is written. */
const readOnly = (folder: RunFolder): RunFolder => ({
  ...folder,
  freeze: () => undefined,
  writeMetrics: () => undefined,
  addTiming: () => undefined,
  writeSummary: () => undefined,
  removeSummary: () => undefined,
});

/**
 * The folder of a run, which rank 0 opens and all others must see.
 * @throws BulwarkError RANKS_DIFFER if they do not, and whatever `open` throws
 */
export async function folderOfRank(
  path: string,
  collective: Collective | undefined,
  open: () => RunFolder,
): Promise<RunFolder> {
  if (!collective) return open();
  const { rank } = collective;
  const first = await together(collective, () => (rank === 0 ? open() : undefined));
  const [theirs, theirPath] = exchangeTexts(collective, first ? `${digestOfRun(first)} ${path}` : '')[0]!.split(
    / (.*)/s,
  );
  return together(collective, async () => {
    if (first) return first;
    const here = await seen(path);
    if (here && digestOfRun(here) === theirs) return readOnly(here);
    throw new BulwarkError(
      'RANKS_DIFFER',
      `${hostname()} ${here ? 'sees another run' : 'sees no run'} in ${path}, and rank 0 has begun one in ${theirPath}`,
      { hint: 'let --out be a folder that all machines share' },
    );
  });
}

/** The run in a folder; a folder on a network may show a new file a little later. */
async function seen(path: string): Promise<RunFolder | undefined> {
  for (let attempt = 0; attempt < 20; attempt++) {
    if (existsSync(join(path, 'config.json'))) return openRunFolder(path);
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
  return undefined;
}

/** Tells the user what goes on differently where a run is resumed by another number of ranks. @returns what the folder shall say then */
export function ranksChanged(
  { ranks: before = 1, config }: FrozenConfig,
  now: { collective?: Collective; composed: ComposedRun; warn?: (message: string) => void },
): { ranks: number | undefined } | undefined {
  const ranks = now.collective?.size ?? 1;
  if (ranks === before) return undefined;
  const { accumulate = 1 } = config.data as { accumulate?: number };
  const parts = (count: number) => `${count * accumulate} part${count * accumulate === 1 ? '' : 's'}`;
  const effect =
    now.composed.parts.model.statistics.size > 0 && now.composed.config.batchNorm.use !== 'synchronised'
      ? `BatchNorm normalises each part by itself, ${parts(before)} of a batch until now and ${parts(ranks)} from here on`
      : 'sums are rounded in another order';
  now.warn?.(
    `${before} rank${before === 1 ? '' : 's'} trained this run, ${ranks} go${ranks === 1 ? 'es' : ''} on: ${effect}; batches, augmentation and noise stay what they were`,
  );
  return { ranks: ranks > 1 ? ranks : undefined };
}
