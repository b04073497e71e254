import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { resumeRun } from '@bulwark/core';
import { startTiny, temporaryFolder, testRegistry } from '../train/testing.js';

/** Stands in for W&B's client: writes its calls down. */
const module = `
import json, sys
print("wandb: talkative, as the real one")
class Run:
    def __init__(self, **given):
        self.id = given.get("id") or "abc123"
        self.summary = self
        self.file = given["dir"] + "/calls.jsonl"
        self.note("init", given)
    def note(self, call, given):
        with open(self.file, "a") as file:
            file.write(json.dumps([call, given]) + "\\n")
    def log(self, values, step):
        self.note("log", {"step": step, "values": values})
    def update(self, values): self.note("summary", values)
    def finish(self, exit_code): self.note("finish", exit_code)
def init(**given): return Run(**given)
`;

const hasPython = (() => {
  try {
    execFileSync('python3', ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
})();

const before = process.env['PYTHONPATH'];
beforeAll(() => {
  const folder = temporaryFolder();
  mkdirSync(join(folder, 'wandb'));
  writeFileSync(join(folder, 'wandb', '__init__.py'), module);
  process.env['PYTHONPATH'] = folder;
});
afterAll(() => {
  if (before === undefined) delete process.env['PYTHONPATH'];
  else process.env['PYTHONPATH'] = before;
});

const callsIn = (folder: string) =>
  readFileSync(join(folder, 'calls.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as [string, Record<string, unknown>]);

describe('the callback wandb', () => {
  (hasPython ? it : it.skip)('logs through the client, and goes on in the same run after an interruption', async () => {
    const folder = join(temporaryFolder(), 'run');
    const run = await startTiny({ callbacks: [{ use: 'wandb', every: 2 }] }, folder);
    const stop = new AbortController();
    run.bus.on('step', ({ epoch }) => void (epoch === 2 && stop.abort()));
    await run.train(stop.signal);
    run.dispose();
    const again = await resumeRun(folder, { registry: testRegistry() });
    const { summary } = await again.train();
    again.dispose();
    const calls = callsIn(folder);
    const inits = calls.filter(([call]) => call === 'init').map(([, given]) => given);
    expect(inits[0]).toMatchObject({ project: 'bulwark', mode: 'offline', name: 'tiny', resume: 'allow' });
    expect(inits.map(({ id }) => id)).toEqual([undefined, 'abc123']);
    const steps = calls.filter(([call]) => call === 'log').map(([, given]) => given['step']);
    expect(steps).toEqual([2, 3, 4, 6, 6]);
    expect(calls.at(-2)).toEqual([
      'summary',
      expect.objectContaining({ 'final/last.clean': summary!.last.accuracy!['clean'] }),
    ]);
    expect(calls.at(-1)).toEqual(['finish', 0]);
  });

  it('says how to get the client where it is not there', async () => {
    process.env['BULWARK_PYTHON'] = '/no/such/python';
    const run = await startTiny({ callbacks: ['wandb'] });
    await expect(run.train()).rejects.toMatchObject({
      code: 'CALLBACK_FAILED',
      message: expect.stringContaining('wandb: /no/such/python does not start'),
      hint: expect.stringContaining('pip install wandb'),
    });
    run.dispose();
    delete process.env['BULWARK_PYTHON'];
  });
});
