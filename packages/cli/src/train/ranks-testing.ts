import { tmpdir } from 'node:os';
import { parentPort, Worker, workerData } from 'node:worker_threads';
import { useEngine, type Collective } from '@bulwark/core';
import { checkRun, compose } from '@bulwark/core/run';
import { initialState, takeSnapshot, train } from '@bulwark/core/trainer';
import { sharedRanks, threadCollective, type SharedRanks } from '@bulwark/core/testing';
import * as tf from '@tensorflow/tfjs-core';
import { testRegistry, tinyConfig } from './testing.js';

/** What a training came to: everything that a checkpoint would hold, and the numbers of its epochs. */
export interface Trained {
  readonly tensors: Readonly<Record<string, Float32Array>>;
  readonly values: unknown;
  readonly history: readonly unknown[];
  readonly warnings: readonly string[];
}

/**
 * Trains tiny runs to their end, without a folder. Each config is `tinyConfig` with these keys replaced.
 * @param drift added to a bias of the model in the third step, on rank 1
 */
export async function trainAll(
  configs: readonly Record<string, unknown>[],
  { collective, drift = 0 }: { collective?: Collective; drift?: number } = {},
) {
  const results: Trained[] = [];
  for (const over of configs) {
    const baseFolder = tmpdir();
    const checked = await checkRun(tinyConfig(over), { registry: testRegistry(), baseFolder });
    const { config, parts } = await compose(checked.config, { registry: checked.registry, baseFolder });
    const { batchSize, accumulate } = config.data;
    const warnings: string[] = [];
    parts.bus.on('warning', ({ message }) => warnings.push(message));
    parts.bus.on('step', ({ epoch, step }) => {
      const bias = parts.model.parameters.get('fc.bias');
      if (drift !== 0 && collective?.rank === 1 && epoch === 1 && step === 3)
        tf.tidy(() => bias!.assign(tf.add(bias!, drift)));
    });
    const synchronised = config.batchNorm.use === 'synchronised';
    const { history } = await train(
      { ...parts, collective },
      { seed: 1, epochs: config.epochs, batchSize, accumulate, synchronised, validateEvery: 1, checkpointSeconds: 1e9 },
    );
    const { tensors, state } = await takeSnapshot(initialState({ seed: 1 }), parts);
    const data = [...tensors].map(([name, tensor]) => [name, Float32Array.from(tensor.data)] as const);
    results.push({ tensors: Object.fromEntries(data), values: state.objective ?? null, history, warnings });
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
  readonly drift?: number;
}

/** Lets threads of this process train as ranks. @returns what each came to, by rank, then by config */
export function trainOnThreads(
  configs: readonly Record<string, unknown>[],
  size: number,
  drift?: number,
): Promise<Trained[][]> {
  const shared = sharedRanks(size);
  // from TypeScript sources (tests) the built file is run: a thread has no transpiler
  const file = new URL(import.meta.url.replace('/src/', '/dist/').replace(/\.ts$/, '.js'));
  const ranks = Array.from({ length: size }, (_, rank) => rank);
  return Promise.all(
    ranks.map(
      (rank) =>
        new Promise<Trained[]>((resolve, reject) => {
          const worker = new Worker(file, { workerData: { shared, rank, configs, drift } satisfies Order });
          worker.once('message', resolve);
          worker.once('error', reject);
        }),
    ),
  );
}

if (workerData?.shared) {
  const { shared, rank, configs, drift } = workerData as Order;
  await useEngine({ use: 'wasm', threads: 1 });
  const collective = threadCollective(shared, { rank, seconds: 300 });
  parentPort!.postMessage(await trainAll(configs, { collective, drift }));
}
