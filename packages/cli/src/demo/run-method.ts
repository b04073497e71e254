import { join } from 'node:path';
import { startRun, type EpochMetrics, type RunConfigInput } from '@bulwark/core';
import { threatOf, validate } from '@bulwark/core/run';
import { builtinRegistry } from '../registry.js';
import { demoConfig, demoEvaluation, type DemoMethod } from './configs.js';

/** What a demo process tells its parent. */
export type DemoMessage =
  | { readonly kind: 'step'; readonly done: number; readonly total: number }
  | { readonly kind: 'epoch'; readonly metrics: EpochMetrics; readonly seconds: number }
  | { readonly kind: 'result'; readonly result: DemoResult }
  | { readonly kind: 'failed'; readonly message: string };

export interface DemoResult {
  readonly method: DemoMethod;
  /** Test accuracy in [0, 1]: clean, then by attack. */
  readonly accuracy: Readonly<Record<string, number>>;
  readonly secondsPerEpoch: number;
  readonly parameters: number;
}

/** Trains one method of the demo and evaluates its last epoch on the test images. */
export async function runDemoMethod(
  method: DemoMethod,
  options: {
    seed: number;
    folder: string;
    tell: (message: DemoMessage) => void;
    /** Sections of the config that measurements have otherwise. */
    change?: RunConfigInput;
    /** Awaited between training and evaluation, for measurements that evaluate otherwise than they train. */
    beforeEvaluation?: () => Promise<unknown>;
  },
): Promise<void> {
  const { seed, folder, tell, change, beforeEvaluation } = options;
  const registry = builtinRegistry();
  const run = await startRun(
    { ...demoConfig(method, seed), ...change },
    {
      registry,
      baseFolder: process.cwd(),
      folder: (name) => join(folder, name),
    },
  );
  const seconds: number[] = [];
  run.bus.on('step', ({ epoch, epochs, step, stepsPerEpoch }) =>
    tell({ kind: 'step', done: (epoch - 1) * stepsPerEpoch + step, total: epochs * stepsPerEpoch }),
  );
  run.bus.on('epoch:end', (event) => {
    seconds.push(event.seconds);
    tell({ kind: 'epoch', metrics: event.metrics, seconds: event.seconds });
  });
  await run.train();
  await beforeEvaluation?.();
  const attacks = demoEvaluation.attacks.map(({ use, ...given }) => {
    const plugin = registry.find('attack', use);
    return plugin.create(plugin.options.parse(given), run.services);
  });
  const { model, data } = run.parts;
  const accuracy = await validate({
    model,
    set: data.test,
    attacks,
    threat: threatOf(run.config),
    batchSize: 250,
    seed,
  });
  // the last epoch also validates; the median is what training costs
  const secondsPerEpoch = seconds.toSorted((a, b) => a - b)[Math.floor(seconds.length / 2)]!;
  const parameters = [...model.parameters.values()].reduce((sum, { size }) => sum + size, 0);
  tell({ kind: 'result', result: { method, accuracy, secondsPerEpoch, parameters } });
  run.dispose();
}
