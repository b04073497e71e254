// Seconds of a step of each method, on one machine in one hour: rounds in which every method takes its turn.
import { checkRun, compose, engineOf } from '@bulwark/core/run';
import { train } from '@bulwark/core/trainer';
import { builtinRegistry } from '../../packages/cli/dist/registry.js';
import { configOf, methods } from './plan.mjs';

export const median = (values) => {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
};

/** Seconds of the steps of one short training, without the first ones, which compile and allocate. */
async function stepsOf(method, settings) {
  const images = 128 * Math.ceil(10 / (methods[method].replays ?? 1));
  const input = configOf(method, { ...settings, epochs: 1, images });
  const baseFolder = process.cwd();
  const { config, registry } = await checkRun(input, { registry: builtinRegistry(), baseFolder });
  await engineOf(config, registry);
  const { parts } = await compose(config, { registry, baseFolder });
  const seen = [];
  parts.bus.on('step', ({ seconds }) => seen.push(seconds));
  await train(parts, { seed: 1, epochs: 1, batchSize: 128, validateEvery: 1, checkpointSeconds: 1e9 });
  parts.model.dispose();
  parts.objective.dispose?.();
  return seen.slice(2);
}

/** Median seconds of a step by method, with the quartiles that say how quiet the machine was. */
export async function measureSteps(settings, { rounds, say }) {
  const seen = Object.fromEntries(Object.keys(methods).map((method) => [method, []]));
  for (let round = 1; round <= rounds; round++) {
    for (const method of Object.keys(methods)) seen[method].push(...(await stepsOf(method, settings)));
    say(`measured, round ${round} of ${rounds}`);
  }
  return Object.fromEntries(
    Object.entries(seen).map(([method, values]) => {
      const sorted = values.toSorted((a, b) => a - b);
      const at = (share) => sorted[Math.floor(share * (sorted.length - 1))];
      return [method, { median: median(values), quarter: at(0.25), threeQuarters: at(0.75), steps: values.length }];
    }),
  );
}
