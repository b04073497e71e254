import { z } from 'zod';
import type { PluginKind, PluginSpec } from './plugin.js';

/** `8/255`, `-1/4`, also with decimals and spaces. */
const fraction = /^\s*(-?\d+(?:\.\d+)?)\s*\/\s*(\d+(?:\.\d+)?)\s*$/;

const parseFraction = (text: string): number => {
  const [, above, below] = fraction.exec(text)!;
  return Number(above) / Number(below);
};

/**
 * A number that may be written as a fraction; `min` and `max` are allowed themselves, `above` and `below` are not.
 * @example
 * ```ts
 * number({ min: 0 }).parse('1/4'); // => 0.25
 * number({ min: 0 }).parse(-1); // throws
 * ```
 * @category Options of plugins
 */
export function number(bounds: { min?: number; max?: number; above?: number; below?: number } = {}) {
  let checked = z.number();
  if (bounds.min !== undefined) checked = checked.min(bounds.min);
  if (bounds.max !== undefined) checked = checked.max(bounds.max);
  if (bounds.above !== undefined) checked = checked.gt(bounds.above);
  if (bounds.below !== undefined) checked = checked.lt(bounds.below);
  return z
    .union(
      [
        z.number(),
        z.string().regex(fraction, 'expected a number or a fraction such as 8/255').transform(parseFraction),
      ],
      {
        error: (issue) => `expected a number or a fraction such as 8/255, received ${JSON.stringify(issue.input)}`,
      },
    )
    .pipe(checked);
}

/**
 * The weight of a term, at least 0. @param of what it is the weight of
 * @example
 * ```ts
 * section({ beta: weight(6) }).parse({}); // => { "beta": 6 }
 * section({ beta: weight(6) }).parse({ beta: -1 }); // throws
 * ```
 * @category Options of plugins
 */
export const weight = (fallback: number, of = 'the regularizer') =>
  number({ min: 0 }).default(fallback).describe(`weight of ${of}`);

/**
 * Marks options that are lengths in pixel values: the composer holds them against the threat model.
 * @example
 * ```ts
 * const epsilon = pixelLength();
 * pixelLengths.has(epsilon); // => true
 * pixelLengths.has(number()); // => false
 * ```
 * @category Options of plugins
 */
export const pixelLengths = z.registry<{ unit: 'pixel' }>();

/**
 * A radius or a step in pixel values of [0, 1], as `number`. A run refuses or doubts one that is written in values of [0, 255].
 * @example
 * ```ts
 * pixelLength({ above: 0 }).parse('51/255'); // => 0.2
 * ```
 * @category Options of plugins
 */
export function pixelLength(bounds: Parameters<typeof number>[0] = {}) {
  const length = number(bounds);
  length.register(pixelLengths, { unit: 'pixel' }); // an empty mark would not survive `describe`
  return length;
}

/**
 * An integer with inclusive bounds.
 * @example
 * ```ts
 * integer({ min: 1 }).parse(10); // => 10
 * integer({ min: 1 }).parse(2.5); // throws
 * ```
 * @category Options of plugins
 */
export function integer(bounds: { min?: number; max?: number } = {}) {
  let checked = z.number().int();
  if (bounds.min !== undefined) checked = checked.min(bounds.min);
  if (bounds.max !== undefined) checked = checked.max(bounds.max);
  return checked;
}

/**
 * A text.
 * @example
 * ```ts
 * string().parse('cifar'); // => "cifar"
 * ```
 * @category Options of plugins
 */
export const string = () => z.string();

/**
 * Yes or no.
 * @example
 * ```ts
 * boolean().default(false).parse(undefined); // => false
 * boolean().parse('yes'); // throws
 * ```
 * @category Options of plugins
 */
export const boolean = () => z.boolean();

/**
 * One of several words.
 * @example
 * ```ts
 * choice('train', 'eval').parse('eval'); // => "eval"
 * choice('train', 'eval').parse('test'); // throws
 * ```
 * @category Options of plugins
 */
export const choice = <const Words extends readonly [string, ...string[]]>(...words: Words) => z.enum(words);

/**
 * Any number of the same.
 * @example
 * ```ts
 * list(integer()).parse([30, 40]); // => [30, 40]
 * ```
 * @category Options of plugins
 */
export const list = <Item extends z.ZodType>(item: Item) => z.array(item);

/**
 * Options of their own name, `inner: { steps: 10 }`; each has its default, or is required.
 * @example
 * ```ts
 * const inner = section({ steps: integer({ min: 1 }).default(10), stepSize: pixelLength() });
 * inner.parse({ stepSize: 0.01 }); // => { "steps": 10, "stepSize": 0.01 }
 * inner.parse({ stepSize: 0.01, stpes: 5 }); // throws
 * ```
 * @category Options of plugins
 */
export const section = <Shape extends z.ZodRawShape>(options: Shape) => z.strictObject(options);

/** Marks where a schema holds another plugin: the composer validates that plugin's options in place. */
export const pluginReferences = z.registry<{
  kind: PluginKind;
  /** A name that stands for no plugin, and takes no options. */
  besides?: string;
}>();

declare const kindOfSection: unique symbol;
/** A section that names a plugin of this kind, as one writes it. Types of configs put the options of that kind's plugins in its place. */
export interface PluginSection<K extends PluginKind> {
  readonly use: string;
  readonly [option: string]: unknown;
  readonly [kindOfSection]?: K;
}
/** The same, or the plugin's name alone. */
export type PluginReference<K extends PluginKind> = string | PluginSection<K>;

/**
 * A section that names another plugin, e.g. `inner: { use: pgd, steps: 10 }`; a bare name is short for `{ use: name }`.
 * `besides` is a name that is allowed, too, and stands for no plugin.
 * @example
 * ```ts
 * plugin('inner-optimizer').parse('pgd'); // => { "use": "pgd" }
 * plugin('inner-optimizer').parse({ use: 'pgd', steps: 10 }); // => { "use": "pgd", "steps": 10 }
 * ```
 * @category Options of plugins
 */
export function plugin<K extends PluginKind>(
  kind: K,
  { besides }: { besides?: string } = {},
): z.ZodType<PluginSpec, PluginReference<K>> {
  const spec = z
    .union([z.string().transform((use) => ({ use })), z.looseObject({ use: z.string() })], {
      error: `expected the name of a plugin (${kind}), or a section with the name under \`use\``,
    })
    .transform((value) => value as PluginSpec);
  spec.register(pluginReferences, { kind, besides });
  return spec as z.ZodType<PluginSpec, PluginReference<K>>;
}
