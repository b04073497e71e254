/**
 * The functions that whole programs are made of. What they need (trainer, attacks, engines) is loaded when they are called, so that authors' modules,
 * which import this package for its losses and `define` functions, start quickly.
 */
import type { useEngine as Use } from './engine/index.js';
import type { evaluate as Evaluate } from './evaluation/index.js';
import type { previewRun as Preview, resumeRun as Resume, startRun as Start } from './run/index.js';

/**
 * Lets an engine compute: `await useEngine('auto')`, or its name and options, as in a config. Throws ENGINE_UNAVAILABLE with what is missing.
 * @category Programs
 */
export const useEngine: typeof Use = async (...given) => (await import('./engine/index.js')).useEngine(...given);

/**
 * Accuracies of a classifier on images, clean and under attacks at a threat model, with flags per image.
 * @category Programs
 */
export const evaluate: typeof Evaluate = async (...given) => (await import('./evaluation/index.js')).evaluate(...given);

/**
 * Begins a run: checks the config, makes its folder, and gives a handle on which `done` is the result.
 * @category Programs
 */
export const startRun: typeof Start = async (...given) => (await import('./run/index.js')).startRun(...given);

/**
 * Goes on with a run where its last checkpoint is, bit for bit.
 * @category Programs
 */
export const resumeRun: typeof Resume = async (...given) => (await import('./run/index.js')).resumeRun(...given);

/**
 * What a run would cost, without training: passes, time of a step, memory.
 * @category Programs
 */
export const previewRun: typeof Preview = async (...given) => (await import('./run/index.js')).previewRun(...given);
