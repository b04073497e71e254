import { z } from 'zod';
import type { Engine, EngineDefinition } from './engine.js';

/**
 * Makes an engine, which is a plugin: register it, or give it to `useEngine`. Unknown options are refused.
 *
 * ```ts
 * export const mine = defineEngine({
 *   name: 'mine',
 *   summary: '...',
 *   rank: 25, // before wasm
 *   options: { threads: z.number().int().min(1).default(1).describe('threads to use') },
 *   probe: async () => ({ available: true }),
 *   start: async ({ threads }) => startMine(threads),
 * });
 * ```
 * @category Plugins
 */
export function defineEngine<
  Shape extends z.ZodRawShape = Record<never, never>,
  InstallShape extends z.ZodRawShape = Record<never, never>,
>({ options, installer, start, ...rest }: EngineDefinition<Shape, InstallShape>): Engine {
  const engine = {
    ...rest,
    kind: 'engine',
    options: z.strictObject(options ?? {}),
    create: start,
    ...(installer && { installer: { ...installer, options: z.strictObject(installer.options ?? {}) } }),
  };
  return Object.freeze(engine) as unknown as Engine;
}
