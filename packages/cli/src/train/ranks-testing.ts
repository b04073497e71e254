import { tmpdir } from 'node:os';
import { parentPort, Worker, workerData } from 'node:worker_threads';
import { useEngine, type Collective } from '@bulwark/core';
import { checkRun, compose } from '@bulwark/core/run';
import { initialState, takeSnapshot, train } from '@bulwark/core/trainer';
import { sharedRanks, threadCollective, type SharedRanks } from '@bulwark/core/testing';
import { testRegistry, tinyConfig } from './testing.js';

/** What a training came to: everything that a checkpoint would hold, and the numbers of its epochs. */
export interface Trained {
  readonly tensors: Readonly<Record<string, Float32Array>>;
  readonly values: unknown;
  readonly history: readonly unknown[];
}

/** Trains tiny runs to their end, without a folder. Each config is `tinyConfig` with these keys replaced. */
export async function trainAll(configs: readonly Record<string, unknown>[], collective?: Collective) {
  const results: Trained[] = [];
  for (const over of configs) {
    const baseFolder = tmpdir();
    const checked = await checkRun(tinyConfig(over), { registry: testRegistry(), baseFolder });
    const { config, parts } = await compose(checked.config, { registry: checked.registry, baseFolder });
    const { batchSize, accumulate } = config.data;
    const synchronised = config.batchNorm.use === 'synchronised';
    const { history } = await train(
      { ...parts, collective },
      { seed: 1, epochs: config.epochs, batchSize, accumulate, synchronised, validateEvery: 1, checkpointSeconds: 1e9 },
    );
    const { tensors, state } = await takeSnapshot(initialState({ seed: 1 }), parts);
    const data = [...tensors].map(([name, tensor]) => [name, Float32Array.from(tensor.data)] as const);
    results.push({ tensors: Object.fromEntries(data), values: state.objective ?? null, history });
    parts.model.dispose();
    parts.optimizer.dispose();
    parts.average?.dispose();
    parts.objective.dispose?.();
  }
  return results;
}

interface Order {
  readonly shared: SharedRanks;
  readonly rank: number;
  readonly configs: readonly Record<string, unknown>[];
}

/** Lets threads of this process train as ranks. @returns what each came to, by rank, then by config */
export function trainOnThreads(configs: readonly Record<string, unknown>[], size: number): Promise<Trained[][]> {
  const shared = sharedRanks(size);
  // from TypeScript sources (tests) the built file is run: a thread has no transpiler
  const file = new URL(import.meta.url.replace('/src/', '/dist/').replace(/\.ts$/, '.js'));
  const ranks = Array.from({ length: size }, (_, rank) => rank);
  return Promise.all(
    ranks.map(
      (rank) =>
        new Promise<Trained[]>((resolve, reject) => {
          const worker = new Worker(file, { workerData: { shared, rank, configs } satisfies Order });
          worker.once('message', resolve);
          worker.once('error', reject);
        }),
    ),
  );
}

if (workerData?.shared) {
  const { shared, rank, configs } = workerData as Order;
  await useEngine({ use: 'wasm', threads: 1 });
  parentPort!.postMessage(await trainAll(configs, threadCollective(shared, { rank, seconds: 300 })));
}
