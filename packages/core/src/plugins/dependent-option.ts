import { z } from 'zod';
import type { RunPlan } from './findings.js';
import { pixelLength } from './option.js';

/** Options of the same section, as they are after parsing. */
type Siblings = Readonly<Record<string, unknown>>;

/** When an option counts. */
export interface Condition {
  /** In words that follow "counts only with": `discrepancy: symmetric-kl`. */
  readonly words: string;
  /** Whether it counts beside these options of its section, in this run, where that is known. */
  holds(siblings: Siblings, plan: RunPlan | undefined): boolean;
}

/** Marks options that count only beside certain values of others. */
const dependentOptions = z.registry<{ condition: object }>();

/** When an option counts; undefined if always. Its author may have wrapped it afterwards. */
export function conditionOf(option: z.ZodType): Condition | undefined {
  const { innerType } = option._zod.def as { innerType?: z.ZodType };
  const mark = dependentOptions.get(option as never);
  return (mark?.condition as Condition | undefined) ?? (innerType && conditionOf(innerType));
}

/**
 * An option that counts only where another one of its section has one of these values. A run in which it is set and does not count says so.
 * @param when names of options with their values, of which all must fit; or a condition of another kind
 * @example
 * ```ts
 * const options = section({
 *   loss: choice('ce', 'soft').default('ce'),
 *   temperature: onlyWith(number({ above: 0 }).default(1), { loss: 'soft' }),
 * });
 * options.parse({ temperature: 4 }); // => { "loss": "ce", "temperature": 4 }
 * ```
 * @category Options of plugins
 */
export function onlyWith<Option extends z.ZodType>(
  option: Option,
  when: Readonly<Record<string, string | number | boolean | readonly (string | number | boolean)[]>> | Condition,
): Option {
  dependentOptions.add(option as z.ZodType, { condition: isCondition(when) ? when : ofValues(when) });
  return option;
}

const isCondition = (when: object): when is Condition => 'holds' in when && typeof when.holds === 'function';

function ofValues(when: Readonly<Record<string, unknown>>): Condition {
  const wanted = Object.entries(when).map(([name, values]) => [name, [values].flat()] as const);
  return {
    words: wanted.map(([name, values]) => `${name}: ${values.join(' or ')}`).join(', '),
    holds: (siblings) => wanted.every(([name, values]) => values.includes(siblings[name])),
  };
}

/** Marks lengths of steps whose default follows from the threat model. */
export const derivedSteps = z.registry<{ shareOfRadius: number }>();

/**
 * The length of one update of an attack, in the threat model's norm and in pixel values of [0, 1]. Where none is given it is `linf` in linf;
 * in l2 and l1, where such a number would hardly move anything, a run takes a quarter of epsilon.
 * @example
 * ```ts
 * section({ stepSize: updateLength(0.01) }).parse({}).stepSize; // => 0.01
 * section({ stepSize: updateLength(0.01) }).parse({ stepSize: '51/255' }).stepSize; // => 0.2
 * ```
 * @category Options of plugins
 */
export function updateLength(linf: number) {
  const option = pixelLength({ min: 0 })
    .default(linf)
    .describe('length of one update; may be a fraction such as 2/255; by default a quarter of epsilon in l2 and l1');
  derivedSteps.add(option, { shareOfRadius: 1 / 4 });
  return option;
}
