import { cpSync, mkdirSync, readFileSync, readdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { BulwarkError, createRandom, resumeRun, useEngine, type Random } from '@bulwark/core';
import { decodeCheckpoint } from '@bulwark/core/run';
import { startTiny, temporaryFolder, testRegistry } from './testing.js';

/** A way to damage a run folder. */
type Damage = readonly [what: string, damage: (folder: string) => void];

const random: Random = createRandom(1, 'corruption-test');
const checkpointNames = ['last', 'previous', 'epoch', 'best'];
const checkpoint = (name: string) => join('checkpoints', `${name}.safetensors`);

const flip = (path: string, bit: number) => {
  const bytes = readFileSync(path);
  bytes[bit >> 3]! ^= 1 << (bit & 7);
  replace(path, bytes);
};
/** Written anew, because checkpoints may share one file. */
const replace = (path: string, content: string | Uint8Array) => {
  rmSync(path, { recursive: true, force: true });
  writeFileSync(path, content);
};
const cut = (path: string, length: number) => {
  replace(path, readFileSync(path));
  truncateSync(path, length);
};
const sizeOf = (path: string) => readFileSync(path).length;

const repeat = (count: number, make: (i: number) => Damage): Damage[] =>
  Array.from({ length: count }, (_, i) => make(i));
const edit = (path: string, change: (text: string) => string) => replace(path, change(readFileSync(path, 'utf8')));

const damages: Damage[] = [
  ...repeat(70, () => [
    'a flipped bit in the last checkpoint',
    (f) => flip(join(f, checkpoint('last')), random.integer(8 * sizeOf(join(f, checkpoint('last'))))),
  ]),
  ...repeat(40, (i) => [
    'a flipped bit in the header of the last checkpoint',
    (f) => flip(join(f, checkpoint('last')), 8 * i + random.integer(8)),
  ]),
  ...repeat(25, () => [
    'a truncated last checkpoint',
    (f) => cut(join(f, checkpoint('last')), random.integer(sizeOf(join(f, checkpoint('last'))))),
  ]),
  ...repeat(30, () => [
    'a flipped bit in the config',
    (f) => flip(join(f, 'config.json'), random.integer(8 * sizeOf(join(f, 'config.json')))),
  ]),
  ...repeat(10, () => [
    'a truncated config',
    (f) => cut(join(f, 'config.json'), random.integer(sizeOf(join(f, 'config.json')) - 1)),
  ]),
  ...repeat(10, () => [
    'a flipped bit in the metrics',
    (f) => flip(join(f, 'metrics.jsonl'), random.integer(8 * sizeOf(join(f, 'metrics.jsonl')))),
  ]),
  ...repeat(10, () => [
    'all checkpoints damaged',
    (f) =>
      checkpointNames.forEach((name) =>
        flip(join(f, checkpoint(name)), random.integer(8 * sizeOf(join(f, checkpoint(name))))),
      ),
  ]),
  ...repeat(10, () => [
    'last and previous damaged',
    (f) => ['last', 'previous'].forEach((name) => cut(join(f, checkpoint(name)), random.integer(500))),
  ]),
  ...checkpointNames.map((name): Damage => [`no ${name} checkpoint`, (f) => rmSync(join(f, checkpoint(name)))]),
  ...checkpointNames.map((name): Damage => [
    `an empty ${name} checkpoint`,
    (f) => replace(join(f, checkpoint(name)), ''),
  ]),
  ...checkpointNames.map((name): Damage => [
    `a folder in place of the ${name} checkpoint`,
    (f) => (rmSync(join(f, checkpoint(name))), mkdirSync(join(f, checkpoint(name)))),
  ]),
  ['no last and no previous', (f) => ['last', 'previous'].forEach((name) => rmSync(join(f, checkpoint(name))))],
  ['no checkpoints', (f) => rmSync(join(f, 'checkpoints'), { recursive: true })],
  ['no config', (f) => rmSync(join(f, 'config.json'))],
  ['an empty config', (f) => replace(join(f, 'config.json'), '')],
  ['a config that is a list', (f) => replace(join(f, 'config.json'), '[]')],
  ['another seed in the config', (f) => edit(join(f, 'config.json'), (text) => text.replace('"seed": 1', '"seed": 2'))],
  [
    'a config without its checksum',
    (f) => edit(join(f, 'config.json'), (text) => text.replace(/,\s*"sha256": "\w+"/, '')),
  ],
  ['no metrics', (f) => rmSync(join(f, 'metrics.jsonl'))],
  ['torn metrics', (f) => cut(join(f, 'metrics.jsonl'), 30)],
  [
    'half-written files of a killed process',
    (f) =>
      ['config.json.tmp-1', checkpoint('next'), checkpoint('last.next')].forEach((name) =>
        writeFileSync(join(f, name), 'half'),
      ),
  ],
  ['a torn lock', (f) => writeFileSync(join(f, 'run.lock'), '{"pi')],
  [
    'the last checkpoint of a run with another seed',
    (f) => replace(join(f, checkpoint('last')), readFileSync(join(other, checkpoint('last')))),
  ],
  [
    'all checkpoints of a run with another seed',
    (f) => cpSync(join(other, 'checkpoints'), join(f, 'checkpoints'), { recursive: true, force: true }),
  ],
  [
    'a checkpoint that is a plain weights file',
    (f) => edit(join(f, checkpoint('last')), (text) => text.replace('"bulwark"', '"bullwark"')),
  ],
];

let base = '';
let other = '';
const resume = (path: string) => resumeRun(path, { registry: testRegistry() });
const results = ['metrics.jsonl', 'summary.json', checkpoint('last')];
const contents = (folder: string) => results.map((name) => readFileSync(join(folder, name)).toString('base64'));
const small = { model: { use: 'mlp', width: 2, depth: 1 }, objective: 'natural', epochs: 2 };

/** A run that stopped in its second epoch. */
async function halfway(over: Record<string, unknown>): Promise<string> {
  const run = await startTiny({ ...small, checkpoint: { minutes: 1e-6 }, ...over });
  const controller = new AbortController();
  let steps = 0;
  run.bus.on('step', () => void (++steps === 4 && controller.abort()));
  await run.train(controller.signal);
  run.dispose();
  return run.folder.path;
}

beforeAll(async () => {
  await useEngine('wasm');
  base = await halfway({});
  other = await halfway({ seed: 2 });
});

async function finish(folder: string): Promise<string[]> {
  const run = await resume(folder);
  try {
    await run.train();
  } finally {
    run.dispose();
  }
  return contents(folder);
}

const clear = ['CHECKPOINT_CORRUPT', 'CHECKPOINT_MISSING', 'RUN_CORRUPT', 'RUN_MISSING', 'RUN_WRITE'];

describe('a damaged run folder', () => {
  it(`damaged in any of ${damages.length} ways gives a clear error or goes on to the right end, never to a wrong one`, async () => {
    expect(damages.length).toBeGreaterThanOrEqual(200);
    const folder = join(temporaryFolder(), 'run');
    const fresh = () => {
      rmSync(folder, { recursive: true, force: true });
      cpSync(base, folder, { recursive: true });
    };
    fresh();
    expect(readdirSync(join(folder, 'checkpoints')).sort()).toEqual(
      ['best', 'epoch', 'last', 'previous'].map((name) => `${name}.safetensors`),
    );
    const right = await finish(folder);

    const outcomes = new Map<string, string[]>();
    for (const [what, damage] of damages) {
      fresh();
      damage(folder);
      const outcome = await finish(folder).then(
        (found) => (found.every((content, i) => content === right[i]) ? 'right' : 'WRONG'),
        (error: unknown) =>
          error instanceof BulwarkError && clear.includes(error.code) ? error.code : `unclear: ${String(error)}`,
      );
      outcomes.set(outcome, [...(outcomes.get(outcome) ?? []), what]);
    }
    const expected = new Set(['right', ...clear]);
    expect([...outcomes].filter(([outcome]) => !expected.has(outcome))).toEqual([]);
    // damage to what is needed is noticed; damage to the last checkpoint alone costs only the steps since the one before
    expect(outcomes.get('RUN_CORRUPT')!.length).toBeGreaterThanOrEqual(40);
    const last = [...outcomes].filter(([outcome]) => outcome !== 'right').flatMap(([, whats]) => whats);
    expect(last.filter((what) => /^a flipped bit in the .*last checkpoint$|^a truncated last/.test(what))).toEqual([]);
  });

  it('is never read as a checkpoint that is not exactly what was written', () => {
    const path = join(base, checkpoint('last'));
    const bytes = readFileSync(path);
    const state = JSON.stringify(decodeCheckpoint(bytes, path).state);
    for (let i = 0; i < 300; i++) {
      const damaged = Uint8Array.from(bytes);
      damaged[random.integer(bytes.length)]! ^= 1 << random.integer(8);
      let found: string | undefined;
      try {
        found = JSON.stringify(decodeCheckpoint(damaged, path).state);
      } catch (error) {
        expect(error).toMatchObject({ code: 'CHECKPOINT_CORRUPT' });
      }
      if (found !== undefined) expect(found).toBe(state);
    }
  });
});
