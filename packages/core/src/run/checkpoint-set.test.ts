import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, it, jest } from '@jest/globals';
import { BulwarkError } from '../errors.js';
import { faultyFiles, Killed, type FaultyFiles, type FileFault } from '../testing/faulty-files.js';
import type { CheckpointKind, Snapshot } from '../trainer/index.js';

const base = fs.mkdtempSync(join(tmpdir(), 'bulwark-set-'));
let files: FaultyFiles;
let room: typeof import('./checkpoint-set.js') &
  typeof import('./run-folder.js') &
  typeof import('./checkpoint-file.js') &
  typeof import('../formats/index.js') &
  typeof import('../trainer/index.js');

beforeAll(async () => {
  files = faultyFiles(fs, base);
  jest.unstable_mockModule('node:fs', () => ({ ...fs, ...files.functions }));
  room = {
    ...(await import('./checkpoint-set.js')),
    ...(await import('./run-folder.js')),
    ...(await import('./checkpoint-file.js')),
    // here, and not above: what they import must find the faulty files, too
    ...(await import('../formats/index.js')),
    ...(await import('../trainer/index.js')),
    // here, and not above: what they import must find the faulty files, too
    ...(await import('../formats/index.js')),
    ...(await import('../trainer/index.js')),
  };
});

/** Validation accuracy of each epoch: the second is better than the first, the third is not. */
const values = [0.2, 0.5, 0.4];
const stepsPerEpoch = 2;

type Position = Pick<Snapshot['state'], 'epoch' | 'step' | 'best'>;

/** What a training would save at this position: a pure function of it. */
function snapshotAt({ epoch, step, best }: Position): Snapshot {
  const steps = epoch * stepsPerEpoch + step;
  const state = {
    ...{ version: room.snapshotVersion, seed: 1, fingerprint: 'f', epoch, step, steps, history: [] },
    ...{ epochSums: { examples: 0, sums: {} }, learningRateScale: 1, rollbacks: 0, ...(best && { best }) },
  };
  const data = Float32Array.from({ length: 64 }, (_, i) => steps + i / 64);
  return { state, tensors: new Map([['model/w', { shape: [8, 8], data }]]) };
}

const bestUntil = (epoch: number) => {
  const seen = values.slice(0, epoch);
  if (seen.length === 0) return undefined;
  const value = Math.max(...seen);
  return { epoch: seen.indexOf(value) + 1, value, metric: 'pgd' };
};

const snapshotOf = (kind: CheckpointKind, { epoch, step }: Position): Snapshot => {
  const best = bestUntil(epoch);
  if (kind === 'last') return snapshotAt({ epoch, step, best });
  if (kind === 'epoch') return snapshotAt({ epoch, step: 0, best });
  return snapshotAt({ epoch: best!.epoch, step: 0, best });
};

/** Trains from where the folder stands to the end, saving after every step and epoch, as the trainer does. */
function train(run: string): void {
  room.sweepRunFolder(run);
  const set = room.checkpointSet(join(run, 'checkpoints'), () => undefined);
  let [epoch, step] = [0, 0];
  if (set.has('last')) ({ epoch, step } = set.settle().state);
  else {
    fs.mkdirSync(join(run, 'checkpoints'), { recursive: true });
    set.save(['last', 'epoch'], snapshotAt({ epoch, step }));
  }
  while (epoch < values.length) {
    if (++step < stepsPerEpoch) {
      set.save(['last'], snapshotAt({ epoch, step, best: bestUntil(epoch) }));
      continue;
    }
    [epoch, step] = [epoch + 1, 0];
    const best = bestUntil(epoch)!;
    set.save(
      ['last', 'epoch', ...(best.epoch === epoch ? (['best'] as const) : [])],
      snapshotAt({ epoch, step, best }),
    );
  }
}

const contentOf = (snapshot: Snapshot) => [snapshot.state, snapshot.tensors];

/** What someone who only reads sees: `last`, and `epoch` and `best` as they were when it was saved. */
function expectConsistent(run: string): void {
  const set = room.checkpointSet(join(run, 'checkpoints'), () => undefined);
  if (!set.has('last')) return;
  const last = set.load('last');
  expect(contentOf(last)).toEqual(contentOf(snapshotOf('last', last.state)));
  expect(contentOf(set.load('epoch'))).toEqual(contentOf(snapshotOf('epoch', last.state)));
  expect(set.has('best')).toBe(last.state.best !== undefined);
  if (last.state.best) expect(contentOf(set.load('best'))).toEqual(contentOf(snapshotOf('best', last.state)));
}

const kinds = ['last', 'epoch', 'best'] as const;
const bytesOf = (run: string) =>
  kinds.map((kind) => fs.readFileSync(join(run, 'checkpoints', `${kind}.safetensors`)).toString('base64'));

/** Runs one session with a fault. @returns how it ended */
function session(run: string, fault: FileFault | undefined, links: boolean): 'end' | 'killed' | 'clear error' {
  files.begin(fault, links);
  try {
    train(run);
    return 'end';
  } catch (error) {
    if (error instanceof Killed) return 'killed';
    expect(error).toBeInstanceOf(BulwarkError);
    expect(['RUN_WRITE', 'CHECKPOINT_CORRUPT']).toContain((error as BulwarkError).code);
    return 'clear error';
  } finally {
    files.reboot();
    files.begin(undefined, links);
  }
}

let count = 0;
const fresh = () => join(base, `run-${count++}`);

function wholeRun(links: boolean) {
  const run = fresh();
  fs.mkdirSync(run);
  files.begin(undefined, links);
  train(run);
  const { operations } = files;
  return { bytes: bytesOf(run), operations };
}

const faults = (['kill', 'ENOSPC', 'EIO'] as const).flatMap((what) =>
  (['before', 'half', 'after'] as const).map((when) => ({ what, when })),
);

describe('the checkpoints of a run', () => {
  it.each(faults.flatMap((fault) => [true, false].map((links) => ({ ...fault, links }))))(
    'are one fact, whatever happens at any file operation: $what $when, hard links $links',
    ({ what, when, links }) => {
      const whole = wholeRun(links);
      expect(whole.operations).toBeGreaterThan(80);
      let happened = 0;
      for (let at = 0; at < whole.operations; at++) {
        const run = fresh();
        fs.mkdirSync(run);
        const ended = session(run, { at, when, what }, links);
        if (ended !== 'end') {
          happened++;
          expectConsistent(run);
          expect(session(run, undefined, links)).toBe('end');
        }
        expect(bytesOf(run)).toEqual(whole.bytes);
        fs.rmSync(run, { recursive: true });
      }
      expect(happened).toBeGreaterThan({ half: 5, kill: 50, EIO: 50, ENOSPC: 20 }[when === 'half' ? when : what]);
    },
  );

  it('on a full disk say so, and what to do', () => {
    let told = 0;
    for (let at = 40; at < 60; at++) {
      const run = fresh();
      fs.mkdirSync(run);
      files.begin({ at, when: 'before', what: 'ENOSPC' });
      try {
        train(run);
      } catch (error) {
        told++;
        expect(error).toMatchObject({
          code: 'RUN_WRITE',
          message: expect.stringContaining('no space left on device') as unknown,
          hint: 'free disk space; the run can be resumed afterwards',
        });
      }
    }
    expect(told).toBeGreaterThan(2);
  });

  it('survive a second fault while the first is mended', () => {
    for (const links of [true, false]) {
      const whole = wholeRun(links);
      for (let first = 20; first < whole.operations; first += 23) {
        for (let second = 0; ; second++) {
          const run = fresh();
          fs.mkdirSync(run);
          session(run, { at: first, when: 'after', what: 'kill' }, links);
          const ended = session(run, { at: second, when: 'before', what: 'kill' }, links);
          if (ended === 'killed') expectConsistent(run);
          expect(session(run, undefined, links)).toBe('end');
          expect(bytesOf(run)).toEqual(whole.bytes);
          fs.rmSync(run, { recursive: true });
          if (ended === 'end' || second > 40) break;
        }
      }
    }
  });

  const damaged = (change: (file: (name: string) => string) => void) => {
    const run = fresh();
    fs.mkdirSync(run);
    files.begin();
    train(run);
    const folder = join(run, 'checkpoints');
    change((name) => join(folder, `${name}.safetensors`));
    const warnings: string[] = [];
    return { set: room.checkpointSet(folder, (text) => warnings.push(text)), warnings, folder };
  };

  it('tell of a damaged last, for which the one before stands in, and keep it', () => {
    const { set, warnings, folder } = damaged((file) => {
      const bytes = fs.readFileSync(file('last'));
      bytes[bytes.length - 1]! ^= 1;
      fs.rmSync(file('last'));
      fs.writeFileSync(file('last'), bytes);
    });
    expect(set.settle().state).toMatchObject({ epoch: 2, step: 1 });
    expect(warnings).toEqual([
      expect.stringMatching(/last\.safetensors: the checksum differs; .*previous\.safetensors stands in for it/),
    ]);
    expect(fs.readdirSync(folder)).toContain('damaged.safetensors');
    expect(set.load('epoch').state.epoch).toBe(2);
  });

  it('refuse a best that belongs to another state, and find the right one under any name', () => {
    const wrong = damaged((file) => {
      fs.rmSync(file('best'));
      fs.copyFileSync(file('previous'), file('best'));
      fs.rmSync(file('epoch.previous'), { force: true });
      fs.rmSync(file('best.previous'), { force: true });
    });
    expect(() => wrong.set.load('best')).toThrow(
      'the best checkpoint (end of epoch 2) is damaged, or belongs to another',
    );
    expect(() => wrong.set.settle()).toThrow(BulwarkError);
    expect(wrong.set.load('last').state.epoch).toBe(3);

    const moved = damaged((file) => {
      fs.renameSync(file('best'), file('best.previous'));
      fs.copyFileSync(file('previous'), file('best'));
    });
    expect(moved.set.load('best').state.epoch).toBe(2);
    moved.set.settle();
    expect(room.decodeCheckpoint(fs.readFileSync(join(moved.folder, 'best.safetensors')), 'best').state.epoch).toBe(2);
  });

  it('that name no companions, as older ones, are told apart by their states', () => {
    const older = damaged((file) => {
      for (const name of ['last', 'epoch', 'best']) {
        const content = withoutCompanions(fs.readFileSync(file(name)));
        fs.rmSync(file(name));
        fs.writeFileSync(file(name), content);
      }
      for (const name of ['previous', 'epoch.previous', 'best.previous']) fs.rmSync(file(name), { force: true });
    });
    expect(older.set.load('best').state.epoch).toBe(2);
    expect(older.set.settle().state.epoch).toBe(3);
    fs.rmSync(join(older.folder, 'best.safetensors'));
    fs.copyFileSync(join(older.folder, 'epoch.safetensors'), join(older.folder, 'best.safetensors'));
    expect(() => older.set.load('best')).toThrow('is damaged, or belongs to another');
  });
});

/** The file as it was written before checkpoints named their companions. */
function withoutCompanions(bytes: Uint8Array): Uint8Array {
  const { tensors, metadata } = room.readSafetensors(bytes);
  const { state } = metadata as { state: string };
  const hash = createHash('sha256').update(state);
  for (const [name, { shape, data }] of tensors)
    hash.update(`\n${name}:${shape.join()}\n`).update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  return room.writeSafetensors(tensors, { bulwark: 'checkpoint', state, sha256: hash.digest('hex') });
}
