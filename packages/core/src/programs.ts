/**
 * The functions that whole programs are made of. What they need (trainer, attacks, engines) is loaded when they are called, so that authors' modules,
 * which import this package for its losses and `define` functions, start quickly.
 */
import type { useEngine as Use } from './engine/index.js';
import type { evaluate as Evaluate } from './evaluation/index.js';
import type { previewRun as Preview, resumeRun as Resume, startRun as Start } from './run/index.js';

/**
 * Lets an engine compute: `await useEngine('auto')`, or its name and options, as in a config. Throws ENGINE_UNAVAILABLE with what is missing.
 * @example
 * ```ts
 * const { name } = await useEngine('cpu'); // 'auto' takes the fastest that works here
 * name; // => "cpu"
 * await useEngine('gpu'); // throws PLUGIN_UNKNOWN
 * ```
 * @category Programs
 */
export const useEngine: typeof Use = async (...given) => (await import('./engine/index.js')).useEngine(...given);

/**
 * Accuracies of a classifier on images, clean and under attacks at a threat model, with flags per image.
 * @example
 * ```ts
 * const graph = networkGraph([2, 2, 1], (g) => g.linear('fc', g.flatten(g.input), { units: 2 }));
 * const model = createNetwork(graph, { name: 'linear', random: blankRandom }); // says class 0 of everything
 * const data = { images: new Uint8Array(16), labels: Int32Array.of(0, 0, 0, 1), shape: [2, 2, 1] as const };
 * const still = { label: 'still', settings: {}, run: (images: tf.Tensor4D) => tf.clone(images) };
 * const { clean, worst } = await evaluate({
 *   model,
 *   data,
 *   attacks: [still],
 *   threat: { norm: norms.linf, epsilon: 0.1 },
 * });
 * clean.accuracy; // => 0.75
 * worst.accuracy; // => 0.75
 * ```
 * @category Programs
 */
export const evaluate: typeof Evaluate = async (...given) => (await import('./evaluation/index.js')).evaluate(...given);

/**
 * Begins a run: checks the config, makes its folder, and gives a handle on which `done` is the result.
 * @example
 * ```ts
 * import { mkdtempSync } from 'node:fs';
 * import { tmpdir } from 'node:os';
 * import { join } from 'node:path';
 * import { builtinRegistry } from '@bulwark/cli';
 * const config = {
 *   name: 'tiny',
 *   engine: 'cpu',
 *   data: { use: 'fashion-mnist-mini', batchSize: 16, limit: { train: 32, test: 10 }, validation: 10 },
 *   model: { use: 'mlp', width: 4 },
 *   threat: { epsilon: 0.1 },
 *   objective: 'natural',
 *   epochs: 1,
 *   evaluation: { attacks: ['fgsm'], examples: 10 },
 * };
 * const runs = mkdtempSync(join(tmpdir(), 'runs-'));
 * const run = await startRun(config, {
 *   registry: builtinRegistry(),
 *   baseFolder: '.',
 *   folder: (name) => join(runs, name),
 * });
 * const { history } = await run.train();
 * history.length; // => 1
 * run.dispose();
 * ```
 * @category Programs
 */
export const startRun: typeof Start = async (...given) => (await import('./run/index.js')).startRun(...given);

/**
 * Goes on with a run where its last checkpoint is, bit for bit.
 * @example
 * ```ts
 * import { mkdtempSync } from 'node:fs';
 * import { tmpdir } from 'node:os';
 * import { join } from 'node:path';
 * import { builtinRegistry } from '@bulwark/cli';
 * const config = {
 *   name: 'tiny',
 *   engine: 'cpu',
 *   data: { use: 'fashion-mnist-mini', batchSize: 16, limit: { train: 32, test: 10 }, validation: 10 },
 *   model: { use: 'mlp', width: 4 },
 *   threat: { epsilon: 0.1 },
 *   objective: 'natural',
 *   epochs: 1,
 *   evaluation: { attacks: ['fgsm'], examples: 10 },
 * };
 * const folder = join(mkdtempSync(join(tmpdir(), 'runs-')), 'tiny');
 * const services = { registry: builtinRegistry(), baseFolder: '.' };
 * const run = await startRun(config, { ...services, folder: () => folder });
 * await run.train();
 * run.dispose();
 * const longer = await resumeRun(folder, { ...services, change: (frozen) => ({ ...frozen, epochs: 2 }) });
 * const { history } = await longer.train();
 * history.map(({ epoch }) => epoch); // => [1, 2]
 * longer.dispose();
 * ```
 * @category Programs
 */
export const resumeRun: typeof Resume = async (...given) => (await import('./run/index.js')).resumeRun(...given);

/**
 * What a run would cost, without training: passes, time of a step, memory.
 * @example
 * ```ts
 * import { builtinRegistry } from '@bulwark/cli';
 * const config = {
 *   name: 'tiny',
 *   engine: 'cpu',
 *   data: { use: 'fashion-mnist-mini', batchSize: 16, limit: { train: 32, test: 10 }, validation: 10 },
 *   model: { use: 'mlp', width: 4 },
 *   threat: { epsilon: 0.1 },
 *   objective: { use: 'at', inner: { steps: 2, stepSize: 0.05 } },
 *   epochs: 10,
 * };
 * const { stepsPerEpoch, forwardPasses } = await previewRun(config, {
 *   registry: builtinRegistry(),
 *   baseFolder: '.',
 * });
 * stepsPerEpoch; // => 2
 * forwardPasses; // => 3
 * ```
 * @category Programs
 */
export const previewRun: typeof Preview = async (...given) => (await import('./run/index.js')).previewRun(...given);
