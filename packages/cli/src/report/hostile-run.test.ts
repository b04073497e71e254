import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { BulwarkError, evaluate, type TrustFinding } from '@bulwark/core';
import { saveEvaluation } from '@bulwark/core/evaluation';
import { digestOf } from '@bulwark/core/files';
import { startTiny } from '../train/testing.js';
import { page, reportBody } from './build-report.js';
import { readRuns } from './read-run.js';

const base = mkdtempSync(join(tmpdir(), 'bulwark-hostile-run-'));
const honest = join(base, 'honest');
const hostile = join(base, 'hostile');
const script = '<img src=x onerror=alert(1)>';

type Json = Record<string, unknown>;

/** Paths to everything in a value, to keys as well as to what is under them. */
function* pathsIn(value: unknown, path: readonly string[] = []): Generator<readonly string[]> {
  yield path;
  if (typeof value === 'object' && value !== null)
    for (const [key, part] of Object.entries(value).slice(0, 12)) yield* pathsIn(part, [...path, key]);
}

function replaced(value: unknown, [key, ...rest]: readonly string[], by: unknown): unknown {
  if (key === undefined) return by;
  const copy = (Array.isArray(value) ? [...(value as unknown[])] : { ...(value as Json) }) as Json;
  copy[key] = replaced(copy[key], rest, by);
  return copy;
}

/** What stands in a file in place of a number, text or object. */
const values: readonly unknown[] = [
  script,
  { html: script, text: script },
  null,
  { signal: "data('x')", toString: 'a' },
  [[script]],
  -1e308,
];

/** The files of a run that the report reads, and how they are written: sealed where they have a seal. */
const files: Readonly<Record<string, (content: unknown) => string>> = {
  'config.json': sealed,
  'summary.json': (content) => JSON.stringify(content),
  'metrics.jsonl': (content) => `${JSON.stringify(content)}\n`,
  'timings.jsonl': (content) => `${JSON.stringify(content)}\n`,
  'evaluation/best/custom.json': sealed,
};

function sealed(content: unknown): string {
  if (typeof content !== 'object' || content === null || Array.isArray(content)) return JSON.stringify(content);
  const { sha256: _, ...rest } = content as Json;
  return JSON.stringify({ ...rest, sha256: digestOf(rest) });
}

/** The honest run anew, without its checkpoints. */
function restore(): void {
  rmSync(hostile, { recursive: true, force: true });
  cpSync(honest, hostile, { recursive: true, filter: (path) => !path.includes('checkpoints') });
}

const place = (name: string, content: unknown) => writeFileSync(join(hostile, name), files[name]!(content));

beforeAll(async () => {
  const run = await startTiny({ model: { use: 'mlp', width: 4 }, objective: 'natural' }, honest);
  await run.train();
  const { model, data, threat } = run.parts;
  const attacks = [run.services.make('attack', { use: 'fgsm' })];
  const result = await evaluate({ model, data: data.test, attacks, threat });
  const findings: TrustFinding[] = [{ id: 'id', what: 'what', meaning: 'meaning', hint: 'hint' }];
  await saveEvaluation(join(honest, 'evaluation/best/custom.json'), { ...result, findings });
  run.dispose();
});

const read = () => readRuns([hostile], () => undefined);

/** The page of the hostile run, or what refused it. */
async function report(): Promise<string> {
  try {
    return page('title', await reportBody(await read(), { written: new Date(0) }));
  } catch (error) {
    if (error instanceof BulwarkError) return error.code;
    throw error;
  }
}

/** Code of the error that reading the run gives. */
const refusal = () =>
  read().then(
    () => undefined,
    (error: unknown) => (error instanceof BulwarkError ? error.code : String(error)),
  );

describe('the report of a run of a stranger', () => {
  it.each(Object.keys(files))(
    'runs nothing, and is refused in words at the worst, whatever stands in %s',
    async (name) => {
      const text = readFileSync(join(honest, name), 'utf8');
      const content = JSON.parse(name.endsWith('.jsonl') ? text.split('\n')[0]! : text) as unknown;
      restore();
      const codes = new Set<string | undefined>();
      let tried = 0;
      for (const value of values) {
        // everything that is taken for a run with this value in one place, and then a page with it in all of these places
        let everywhere = content;
        for (const path of pathsIn(content)) {
          tried++;
          place(name, replaced(content, path, value));
          const code = await refusal();
          codes.add(code);
          if (code !== undefined) continue;
          place(name, replaced(everywhere, path, value));
          if ((await refusal()) === undefined) everywhere = replaced(everywhere, path, value);
        }
        place(name, everywhere);
        const found = await report();
        expect(found).toMatch(/^<!doctype html>/);
        expect(found).not.toMatch(/<img src=x|<script/);
      }
      expect([...codes].filter((code) => code !== undefined && code !== 'RUN_CORRUPT')).toEqual([]);
      expect(tried).toBeGreaterThan(20);
    },
  );

  it.each([
    ['a folder', (path: string) => mkdirSync(path)],
    ['no JSON', (path: string) => writeFileSync(path, '{"')],
    ['a list', (path: string) => writeFileSync(path, '[]')],
    [
      'binary',
      (path: string) =>
        writeFileSync(
          path,
          Uint8Array.from({ length: 300 }, (_, i) => i),
        ),
    ],
  ])('stands where a file is %s', async (_what, put) => {
    for (const name of [...Object.keys(files), 'evaluation', 'checkpoints', 'evaluation/best']) {
      restore();
      rmSync(join(hostile, name), { recursive: true, force: true });
      mkdirSync(dirname(join(hostile, name)), { recursive: true });
      put(join(hostile, name));
      expect(await report()).toMatch(/^<!doctype html>|^RUN_CORRUPT$|^RUN_MISSING$/);
    }
    expect(readdirSync(honest).length).toBeGreaterThan(4);
  });
});
