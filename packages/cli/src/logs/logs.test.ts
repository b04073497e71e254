import { mkdtempSync, readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { resumeRun } from '@bulwark/core';
import { startTiny, temporaryFolder, testRegistry } from '../train/testing.js';
import { crc32c, maskedCrc32c } from './crc32c.js';
import { toCsv } from './csv.js';
import { createEventFile } from './event-file.js';
import { parseLogs, withLogs } from './loggers.js';

interface ReadEvent {
  readonly time: number;
  readonly step: number;
  readonly version?: string;
  readonly started: boolean;
  readonly scalars: Readonly<Record<string, number>>;
}

/** Splits a message into its fields; written against the format's documentation, not with the encoder's helpers. */
function fields(bytes: Uint8Array): [number, number | Uint8Array][] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const found: [number, number | Uint8Array][] = [];
  let at = 0;
  const varint = () => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[at++]!;
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
  };
  while (at < bytes.length) {
    const key = varint();
    const [number, wire] = [key >>> 3, key & 7];
    if (wire === 0) found.push([number, varint()]);
    else if (wire === 1) found.push([number, view.getFloat64((at += 8) - 8, true)]);
    else if (wire === 5) found.push([number, view.getFloat32((at += 4) - 4, true)]);
    else {
      const length = varint();
      found.push([number, bytes.subarray(at, (at += length))]);
    }
  }
  return found;
}

const text = (bytes: number | Uint8Array) => new TextDecoder().decode(bytes as Uint8Array);

function readEvent(bytes: Uint8Array): ReadEvent {
  const all = fields(bytes);
  const get = (number: number) => all.find(([found]) => found === number)?.[1];
  const scalars = fields((get(5) ?? new Uint8Array()) as Uint8Array).map(([, value]) => {
    const parts = new Map(fields(value as Uint8Array));
    return [text(parts.get(1)!), parts.get(2) as number] as const;
  });
  const version = get(3);
  return {
    time: get(1) as number,
    step: (get(2) ?? 0) as number,
    ...(version !== undefined && { version: text(version) }),
    started: get(7) !== undefined,
    scalars: Object.fromEntries(scalars),
  };
}

/** Reads an event file as TensorBoard does, checking both checksums of each record. */
function readEvents(path: string): ReadEvent[] {
  const bytes = new Uint8Array(readFileSync(path));
  const view = new DataView(bytes.buffer);
  const events: ReadEvent[] = [];
  for (let at = 0; at < bytes.length;) {
    const length = Number(view.getBigUint64(at, true));
    const data = bytes.subarray(at + 12, at + 12 + length);
    expect(view.getUint32(at + 8, true)).toBe(maskedCrc32c(bytes.subarray(at, at + 8)));
    expect(view.getUint32(at + 12 + length, true)).toBe(maskedCrc32c(data));
    events.push(readEvent(data));
    at += 16 + length;
  }
  return events;
}

const eventFiles = (folder: string) => readdirSync(join(folder, 'logs')).map((name) => join(folder, 'logs', name));

describe('event files', () => {
  it('have checksums as RFC 3720 gives them', () => {
    expect(crc32c(new TextEncoder().encode('123456789'))).toBe(0xe3069283);
    expect(crc32c(new Uint8Array(32))).toBe(0x8a9136aa);
    expect(crc32c(new Uint8Array(32).fill(0xff))).toBe(0x62a8ab43);
  });

  it('begin with the version and hold steps, tags and values', () => {
    let time = 1_700_000_000_000;
    const file = createEventFile(mkdtempSync(join(tmpdir(), 'events-')), () => (time += 500));
    file.scalars(3, { loss: 1.5, 'validation/pgd-20': 0.25 });
    file.scalars(2 ** 40, { loss: -1e-7 });
    file.start(7);
    file.flush();
    const [first, second, third, fourth] = readEvents(file.path);
    expect(first).toMatchObject({ version: 'brain.Event:2', scalars: {} });
    expect(second).toMatchObject({ step: 3, scalars: { loss: 1.5, 'validation/pgd-20': 0.25 } });
    expect(third!.step).toBe(2 ** 40);
    expect(third!.scalars['loss']).toBeCloseTo(-1e-7, 12);
    expect(fourth).toMatchObject({ step: 7, started: true });
    expect(second!.time).toBeGreaterThan(1_700_000_000);
  });
});

describe('CSV', () => {
  it('has all columns, empty cells for what is missing, and quotes what needs it', () => {
    expect(
      toCsv([
        { a: 1, b: 'x,y' },
        { a: Number.NaN, c: 'say "hi"' },
      ]),
    ).toBe('a,b,c\n1,"x,y",\n,,"say ""hi"""\n');
  });
});

describe('logs of a run', () => {
  it('hold every step and every epoch, and change no number of the run', async () => {
    const plain = await startTiny();
    const { history } = await plain.train();
    plain.dispose();
    const run = await startTiny(withLogs({ callbacks: ['csv'] }, parseLogs('tensorboard, csv,jsonl')));
    expect((await run.train()).history).toEqual(history);
    run.dispose();

    const { path } = run.folder;
    const steps = readFileSync(join(path, 'steps.jsonl'), 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(steps.map(({ position }) => position)).toEqual([1, 2, 3, 4, 5, 6]);
    const rows = readFileSync(join(path, 'epochs.csv'), 'utf8').trim().split('\n');
    expect(rows).toHaveLength(3);
    expect(rows[0]).toMatch(/^epoch,steps,epoch\/loss,.*validation\/clean/);
    const events = readEvents(eventFiles(path)[0]!);
    const losses = events.filter(({ scalars }) => 'epoch/loss' in scalars);
    expect(losses.map(({ step }) => step)).toEqual([3, 6]);
    losses.forEach(({ scalars }, i) => expect(scalars['epoch/loss']).toBeCloseTo(history[i]!.loss, 6));
    expect(events.filter(({ scalars }) => 'step/loss' in scalars)).toHaveLength(6);
  });

  it('go on after an interruption: no epoch twice, and readers are told where training began again', async () => {
    const folder = join(temporaryFolder(), 'run');
    const run = await startTiny(withLogs({}, ['tensorboard', 'csv']), folder);
    const stop = new AbortController();
    run.bus.on('step', ({ epoch, step }) => void (epoch === 2 && step === 1 && stop.abort()));
    expect((await run.train(stop.signal)).reason).toBe('interrupted');
    run.dispose();
    const again = await resumeRun(folder, { registry: testRegistry() });
    const resumed: number[] = [];
    again.bus.on('run:start', ({ resumedAt }) => void resumed.push(resumedAt!.epoch, resumedAt!.step));
    await again.train();
    again.dispose();
    expect(resumed).toEqual([1, 1]);
    const events = eventFiles(folder).flatMap(readEvents);
    // one step of the second epoch was made; the next is the fifth of the run
    expect(events.filter(({ started }) => started).map(({ step }) => step)).toEqual([5]);
    const epochs = readFileSync(join(folder, 'epochs.csv'), 'utf8').trim().split('\n').slice(1);
    expect(epochs.map((row) => row.split(',')[0])).toEqual(['1', '2']);
  });

  it('tell what is wrong with --log', () => {
    expect(() => parseLogs('tensorboard,wandb')).toThrow('--log has "wandb"; known: tensorboard, csv, jsonl');
  });
});
