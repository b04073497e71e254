import { spawn } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { createRandom } from '@bulwark/core';
import { main, withPatience } from '../testing.js';
import { temporaryFolder } from './testing.js';

const kills = 50;
/** Runs at the same time, each killed again and again. */
const chains = 2;
/** How long after its first step a process may live, in milliseconds. */
const longestLife = 500;

const config = {
  name: 'killed',
  engine: 'wasm',
  data: {
    use: 'fashion-mnist-mini',
    limit: { train: 48, test: 20 },
    validation: 20,
    batchSize: 16,
    augment: ['horizontal-flip'],
  },
  model: { use: 'mlp', width: 4, depth: 1 },
  threat: { epsilon: 0.1 },
  objective: { use: 'trades', inner: { steps: 1, stepSize: 0.1 } },
  weightPerturber: 'awp',
  averaging: { use: 'ema', decay: 0.9 },
  epochs: 30,
  evaluation: { attacks: ['fgsm'], examples: 20 },
  guard: { collapse: { epochs: 0 } },
  // a checkpoint after nearly every step, so that many kills land in one
  checkpoint: { minutes: 1e-6 },
};

/** Trains in a process that is killed `after` milliseconds, counted from its start or from its first line about the run. */
function trainUntilKilled(args: readonly string[], life?: { from: 'start' | 'training'; after: number }) {
  const child = spawn(process.execPath, [main, 'train', ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: withPatience(300) * 1000,
  });
  const [out, err]: [Buffer[], Buffer[]] = [[], []];
  let timer: NodeJS.Timeout | undefined;
  const kill = () => void child.kill('SIGKILL');
  if (life?.from === 'start') timer = setTimeout(kill, life.after);
  child.stdout.on('data', (chunk: Buffer) => {
    out.push(chunk);
    if (life?.from === 'training' && chunk.includes('killed: ')) timer ??= setTimeout(kill, life.after);
  });
  child.stderr.on('data', (chunk: Buffer) => err.push(chunk));
  return new Promise<{ code: number | null; killed: boolean; errors: string }>((resolve) =>
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      resolve({ code, killed: signal === 'SIGKILL', errors: Buffer.concat(err).toString() });
    }),
  );
}

const results = [
  'metrics.jsonl',
  'summary.json',
  ...['last', 'best', 'epoch'].map((name) => `checkpoints/${name}.safetensors`),
];
const contents = (folder: string) => results.map((name) => readFileSync(join(folder, name)).toString('base64'));

describe('a run that is killed', () => {
  it(`goes on after SIGKILL at any of ${kills} random moments and ends with the same bytes`, async () => {
    expect(existsSync(main)).toBe(true);
    const base = temporaryFolder();
    const file = join(base, 'killed.json');
    writeFileSync(file, JSON.stringify(config));
    const whole = join(base, 'whole');
    expect(await trainUntilKilled([file, '--out', whole])).toMatchObject({ code: 0 });
    const wanted = contents(whole);

    let done = 0;
    let finished = 0;
    const chain = async (name: number) => {
      const random = createRandom(name, 'kill-test');
      for (let run = 0; done < kills; run++) {
        const folder = join(base, `killed-${name}-${run}`);
        for (let ended = false; !ended;) {
          const begun = existsSync(join(folder, 'config.json'));
          // one of five while the process starts, the others while it trains
          const early = random.integer(5) === 0;
          const life = {
            from: early ? 'start' : 'training',
            after: random.integer(early ? 1500 : longestLife),
          } as const;
          const result = await trainUntilKilled(
            begun ? ['--resume', folder] : [file, '--out', folder],
            done < kills ? life : undefined,
          );
          if (result.killed) done++;
          else expect(result).toMatchObject({ code: 0, errors: '' });
          ended = !result.killed;
        }
        expect(contents(folder)).toEqual(wanted);
        finished++;
      }
    };
    await Promise.all(Array.from({ length: chains }, (_, i) => chain(i)));
    expect(done).toBeGreaterThanOrEqual(kills);
    expect(finished).toBeGreaterThanOrEqual(chains);
  }, 600_000);
});
