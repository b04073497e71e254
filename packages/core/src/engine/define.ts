import { z } from 'zod';
import { BulwarkError } from '../errors.js';
import type { Engine, EngineDefinition } from './engine.js';

/**
 * Makes an engine, which is a plugin: register it, or give it to `useEngine`. Unknown options are refused.
 * @throws BulwarkError PLUGIN_DUPLICATE for the name `auto`
 * @example
 * ```ts
 * const mine = defineEngine({
 *   name: 'mine',
 *   summary: 'Plain JavaScript under another name.',
 *   rank: 5, // behind wasm
 *   probe: async () => ({ available: true }),
 *   start: async () => {
 *     await tf.setBackend('cpu');
 *     return {
 *       backend: 'cpu',
 *       description: 'plain JavaScript',
 *       device: 'CPU',
 *       dtypes: ['float32'],
 *       hostMemory: true,
 *       remarks: [],
 *     };
 *   },
 * });
 * const { name } = await useEngine('mine', { engines: [mine] });
 * name; // => "mine"
 * ```
 * @category Plugins
 */
export function defineEngine<
  const Name extends string,
  Shape extends z.ZodRawShape = Record<never, never>,
  InstallShape extends z.ZodRawShape = Record<never, never>,
>({
  options,
  installer,
  start,
  ...rest
}: EngineDefinition<Shape, InstallShape> & { readonly name: Name }): Engine & {
  /** For the types of configs; never there. */
  readonly $config?: { readonly use: Name } & z.input<z.ZodObject<Shape>>;
} {
  if (rest.name === 'auto')
    throw new BulwarkError('PLUGIN_DUPLICATE', 'an engine cannot be called auto, which means the choice among them', {
      hint: 'give the engine another name',
    });
  const engine = {
    ...rest,
    kind: 'engine',
    options: z.strictObject(options ?? {}),
    create: start,
    ...(installer && { installer: { ...installer, options: z.strictObject(installer.options ?? {}) } }),
  };
  return Object.freeze(engine) as unknown as Engine;
}
