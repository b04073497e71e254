import { cpu } from './cpu/engine.js';
import type { Engine } from './engine.js';
import { wasm } from './wasm/engine.js';

const all = [wasm, cpu] as const;
/** The engines of core, for the types of configs. */
export type CoreEngine = (typeof all)[number];

/** The engines that come with core and run everywhere. */
export const coreEngines: readonly Engine[] = all;
