import { cpu } from './cpu/engine.js';
import type { Engine } from './engine.js';
import { wasm } from './wasm/engine.js';

/** The engines that come with core and run everywhere. */
export const coreEngines: readonly Engine[] = [wasm, cpu];
