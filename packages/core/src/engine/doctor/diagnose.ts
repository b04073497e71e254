import { cpu } from '../cpu/engine.js';
import type { Engine } from '../engine.js';
import type { BulwarkError } from '../../errors.js';
import { wrongNumbers } from '../numerics/index.js';
import { startEngine } from '../select.js';
import { measureSpeed } from './speed.js';
import type { EngineSpeed } from './speed.js';

/** What `bulwark doctor` says of one engine. */
export type EngineDiagnosis =
  | {
      readonly engine: string;
      readonly works: true;
      /** Version and origin, in words. */
      readonly description: string;
      /** Where it computes. */
      readonly device: string;
      readonly threads?: number;
      /** True for a GPU adapter that computes on the processor. */
      readonly software?: boolean;
      /** True if it computes on the processor. */
      readonly hostMemory: boolean;
      /** What works less well than it should, or is worth knowing. */
      readonly remarks: readonly string[];
      /** What it computes differently from plain JavaScript, if anything. */
      readonly wrong?: string;
      /** True if its numbers mean nothing and were not compared. */
      readonly unchecked?: boolean;
      readonly speed: EngineSpeed;
    }
  | { readonly engine: string; readonly works: false; readonly reason: string; readonly hint?: string };

/**
 * Starts an engine, compares its numbers with plain JavaScript and measures its speed. Best in a process of its own: an
 * engine that crashes then takes nothing else with it.
 * @param options seconds: how long to measure; options: the engine's own, as in a config
 */
export async function diagnoseEngine(
  engine: Engine,
  { seconds = 5, options = {} }: { seconds?: number; options?: Readonly<Record<string, unknown>> } = {},
): Promise<EngineDiagnosis> {
  const { name, unchecked } = engine;
  try {
    const { session } = await startEngine(engine, options);
    const { backend, description, device, threads, software, hostMemory, remarks } = session;
    const wrong = engine === cpu || unchecked ? undefined : await wrongNumbers(backend);
    const facts = { description, device, threads, software, hostMemory, unchecked, remarks, wrong };
    return { engine: name, works: true, ...facts, speed: measureSpeed({ seconds }) };
  } catch (error) {
    const { message, hint } = error as BulwarkError;
    return { engine: name, works: false, reason: message, hint };
  }
}
