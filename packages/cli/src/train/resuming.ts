import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { resumeRun, type RunHandle } from '@bulwark/core';
import { startTiny, testRegistry } from './testing.js';

/** Continues a run of `tinyConfig`. */
export const resume = (path: string) => resumeRun(path, { registry: testRegistry() });

/** Everything of a run that must not depend on how often it was interrupted. */
const lasting = ['metrics.jsonl', 'summary.json', 'checkpoints/last.safetensors', 'checkpoints/best.safetensors'];
export const contents = (folder: string) =>
  Object.fromEntries(lasting.map((name) => [name, readFileSync(join(folder, name)).toString('base64')]));

/** Trains to the end or until `signal` is aborted. */
export async function finish(run: RunHandle, signal?: AbortSignal) {
  try {
    return await run.train(signal);
  } finally {
    run.dispose();
  }
}

/** Trains without an interruption. @returns the folder */
export async function uninterrupted(over: Record<string, unknown>): Promise<string> {
  const run = await startTiny(over);
  await finish(run);
  return run.folder.path;
}

/** Trains with an interruption after every `steps` steps. @returns the folder and the number of interruptions */
export async function interrupted(over: Record<string, unknown>, steps: number) {
  let run = await startTiny(over);
  for (let count = 0; ; count++) {
    const controller = new AbortController();
    let left = steps;
    run.bus.on('step', () => void (--left === 0 && controller.abort()));
    const result = await finish(run, controller.signal);
    if (result.reason === 'finished') return { folder: run.folder.path, count };
    run = await resume(run.folder.path);
  }
}
