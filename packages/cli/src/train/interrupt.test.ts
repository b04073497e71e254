import { spawn } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { main, withPatience } from '../testing.js';
import { temporaryFolder } from './testing.js';

/** A run far too long to finish, interrupted by `signals` one after the other when the text beside them was printed. */
function interrupted(signals: readonly (readonly [string, NodeJS.Signals])[]) {
  const folder = temporaryFolder();
  const config = join(folder, 'long.json');
  const data = { use: 'fashion-mnist-mini', limit: { train: 64, test: 20 }, validation: 20, batchSize: 16 };
  writeFileSync(
    config,
    JSON.stringify({
      name: 'long',
      engine: 'wasm',
      data,
      model: { use: 'mlp', width: 4, depth: 1 },
      threat: { epsilon: 0.1 },
      objective: 'natural',
      epochs: 100_000,
      evaluation: { attacks: ['fgsm'] },
      guard: { collapse: { epochs: 0 } },
    }),
  );
  const run = join(folder, 'run');
  const child = spawn(process.execPath, [main, 'train', config, '--out', run], {
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: withPatience(50) * 1000,
    killSignal: 'SIGKILL',
  });
  const waiting = [...signals];
  let [out, errors] = ['', ''];
  child.stdout.on('data', (chunk: Buffer) => {
    out += chunk.toString();
    if (waiting[0] && out.includes(waiting[0][0])) child.kill(waiting.shift()![1]);
  });
  child.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()));
  return new Promise<{ run: string; out: string; errors: string; end: number | NodeJS.Signals }>((resolve) =>
    child.on('close', (code, signal) => resolve({ run, out, errors, end: signal ?? code! })),
  );
}

describe('an interrupted run', () => {
  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 75], // asks to be queued again
  ] as const)('finishes the step on %s, saves, and says how to go on', async (signal, code) => {
    const { run, errors, end } = await interrupted([['epoch ', signal]]);
    expect(end).toBe(code);
    expect(errors).toContain(`go on with: bulwark train --resume ${run}`);
    expect(errors).not.toMatch(/\berror\b/);
    expect(existsSync(join(run, 'checkpoints/last.safetensors'))).toBe(true);
    expect(existsSync(join(run, 'run.lock'))).toBe(false);
  });

  it('stops at once on a second signal', async () => {
    const { out, end } = await interrupted([
      ['epoch ', 'SIGTERM'],
      ['press Ctrl-C again', 'SIGINT'],
    ]);
    expect(out).toContain('finishing the step and saving');
    // if the checkpoint was quicker than the signal, the run ended by itself
    expect(['SIGINT', 75]).toContain(end);
  });
});
