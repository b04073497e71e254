import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from '@jest/globals';
import type { ImageSet } from '../batch.js';
import type { Network } from '../classifier/index.js';
import { useEngine } from '../engine/index.js';
import {
  corruptionTable,
  evaluateCorruptions,
  loadCorruptions,
  saveCorruptions,
  type CorruptionEvaluation,
  type CorruptionResult,
} from './corruptions.js';
import { thresholdModel } from './threshold-testing.js';

/** The class is whether the one pixel is above 0.5. Two images, dark and bright, under haze and night at two severities. */
const test: ImageSet = {
  images: Uint8Array.from([60, 210, 150, 220, 40, 180, 10, 90]),
  labels: Int32Array.from([0, 1, 0, 1, 0, 1, 0, 1]),
  shape: [1, 1, 1],
};
const groups = ['haze', 'night'].flatMap((name, c) =>
  [1, 2].map((level) => ({ name, level, from: 4 * c + 2 * (level - 1), to: 4 * c + 2 * level })),
);
const data = { name: 'weather', test, groups };
let model: Network;
beforeAll(async () => {
  await useEngine('cpu');
  model = thresholdModel();
});
const run = (more: Partial<CorruptionEvaluation> = {}) => evaluateCorruptions({ model, data, batchSize: 3, ...more });

describe('accuracy under corruptions', () => {
  it('is that of each corruption at each severity, and their mean', async () => {
    const result = await run();
    expect(result.groups.map(({ name, level, count, correct }) => [name, level, correct, count])).toEqual([
      ['haze', 1, 2, 2],
      ['haze', 2, 1, 2],
      ['night', 1, 2, 2],
      ['night', 2, 1, 2],
    ]);
    const { mean, rows } = corruptionTable(result);
    expect(mean).toBe(0.75);
    expect(rows.map(({ name, accuracy }) => [name, accuracy])).toEqual([
      ['haze', 0.75],
      ['night', 0.75],
    ]);
    expect(rows[0]!.levels[1]).toMatchObject({ level: 2, count: 2, accuracy: 0.5 });
    expect((await run({ images: 1 })).groups.map(({ count }) => count)).toEqual([1, 1, 1, 1]);
  });

  it('goes on after an interruption without measuring a group twice', async () => {
    const controller = new AbortController();
    const saved: CorruptionResult[] = [];
    const save = (result: CorruptionResult) => {
      saved.push(result);
      if (saved.length === 2) controller.abort();
    };
    await expect(run({ save, signal: controller.signal })).rejects.toMatchObject({ code: 'INTERRUPTED' });
    expect(saved[1]).toMatchObject({ complete: false, groups: [{ level: 1 }, { level: 2 }] });
    const seen: string[] = [];
    const whole = await run({ previous: saved[1]!, progress: ({ group }) => void seen.push(group.name) });
    expect(new Set(seen)).toEqual(new Set(['night']));
    expect(whole).toEqual(await run());
    await expect(run({ previous: saved[1]!, images: 1 })).rejects.toThrow('of another model, other images');
  });

  it.each<[string, Partial<CorruptionEvaluation>, string]>([
    ['data without groups', { data: { name: 'plain', test } }, 'plain does not say which of its images'],
    ['groups beyond the set', { data: { ...data, groups: [{ name: 'fog', level: 1, from: 0, to: 9 }] } }, 'fog at 1'],
    [
      'half an image',
      { data: { ...data, groups: [{ name: 'fog', level: 1, from: 0, to: 0.5 }] } },
      'whole images|fog at 1',
    ],
    ['unlabelled images', { data: { ...data, test: { ...test, labels: test.labels.map(() => -1) } } }, 'have no label'],
  ])('refuses %s', async (_what, more, message) => {
    await expect(run(more)).rejects.toThrow(new RegExp(message));
  });

  it('comes back from its file as it was written, and not at all if it was changed', async () => {
    const file = join(mkdtempSync(join(tmpdir(), 'bulwark-')), 'weather.json');
    expect(loadCorruptions(file)).toBeUndefined();
    const result = await run();
    saveCorruptions(file, result);
    expect(loadCorruptions(file)).toEqual(result);
    writeFileSync(file, readFileSync(file, 'utf8').replace('"correct":1', '"correct":2'));
    expect(() => loadCorruptions(file)).toThrow('its checksum differs');
    for (const text of ['', 'null', '{}', '[1]']) {
      writeFileSync(file, text);
      expect(() => loadCorruptions(file)).toThrow(/is not JSON|is no result of corruptions/);
    }
  });
});
