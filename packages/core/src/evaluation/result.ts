import { z } from 'zod';
import { BulwarkError } from '../errors.js';
import { firstWrong } from '../files/wrong-value.js';
import { normNames } from '../threat/index.js';
import { contradiction } from './figures.js';
import { violations } from './recheck.js';

/**
 * One character per example: `1` correct, `0` broken, `-` not attacked (wrong from the start, or broken by an earlier stage of the
 * ensemble or, within a smaller radius, by another), `.` still to be attacked.
 */
const flags = z.string().regex(/^[01.-]*$/);
const size = z.strictObject({ max: z.number(), mean: z.number() });
const share = z.number().min(0).max(1);

const finding = z.strictObject({
  id: z.string(),
  /** What was seen, with its numbers. */
  what: z.string(),
  /** What it means for the result. */
  meaning: z.string(),
  /** What to do about it. */
  hint: z.string(),
});
/** Something that makes a robustness figure less trustworthy. */
export type TrustFinding = z.infer<typeof finding>;

const entry = z.strictObject({
  label: z.string(),
  /** The ensemble that this attack is a stage of. */
  ensemble: z.string().optional(),
  settings: z.record(z.string(), z.unknown()),
  done: z.boolean(),
  flags,
  /** Share of all examples that are correct when clean and not broken by this attack (or a stage of its ensemble up to it). */
  accuracy: share,
  seconds: z.number().min(0),
  /** How many examples it was run on so far. */
  attacked: z.number().int().min(0),
  /** How many flags follow from what the same attack found within a smaller radius. */
  reused: z.number().int().min(0).optional(),
  /** Perturbations of the examples that it broke here. */
  linf: size,
  l2: size,
  /** Absent in results of before it was kept. */
  l1: size.optional(),
  /** Smallest and largest pixel of the candidates with which it broke examples here; absent while there are none. */
  pixels: z.strictObject({ min: share, max: share }).optional(),
  /**
   * Of an attack that seeks the smallest perturbation: the norm of the smallest that it found, per example, within the radius or not; null
   * where it found none, or was not run.
   */
  distances: z.array(z.number().min(0).nullable()).optional(),
  /** The class that the model takes each of these for. */
  classes: z.array(z.number().int().min(0).nullable()).optional(),
  /** Misclassified candidates that were refused, by reason. */
  rejected: z.strictObject(Object.fromEntries(violations.map((name) => [name, z.number().int().min(0)]))),
  /** Examples with an exactly zero gradient at the start, if the attack looks. */
  zeroGradients: z.number().int().min(0),
});
/** What one attack did. */
export type AttackEntry = z.infer<typeof entry>;

const schema = z.strictObject({
  format: z.literal('bulwark-evaluation'),
  version: z.literal(1),
  /** `quick`, `fast`, `full` or `custom`: which promise the figures keep. */
  tier: z.string(),
  model: z.strictObject({ name: z.string(), fingerprint: z.string() }),
  data: z.strictObject({ count: z.number().int().min(1), fingerprint: z.string(), classes: z.number().int().min(2) }),
  threat: z.strictObject({ norm: z.enum(normNames), epsilon: z.number().min(0) }),
  /** The threat models that were evaluated together with this one, itself among them: whoever withstands their union withstands all. */
  together: z
    .array(z.strictObject({ norm: z.enum(normNames), epsilon: z.number().min(0) }))
    .min(2)
    .optional(),
  seed: z.number().int(),
  /** Passes whose most frequent answer is a prediction; absent: 1. */
  repeats: z.number().int().min(2).optional(),
  /** How passes rounded, if some of them were not float32 throughout: `products in TF32`. */
  arithmetic: z.string().min(1).optional(),
  /** False while attacks are missing: the figures are upper bounds. */
  complete: z.boolean(),
  clean: z.strictObject({ flags, accuracy: share, interval: z.tuple([share, share]) }),
  attacks: z.array(entry),
  /** Per example the worst case over all attacks. */
  worst: z.strictObject({
    flags,
    accuracy: share,
    interval: z.tuple([share, share]),
    perClass: z.array(
      z.strictObject({ class: z.number().int(), count: z.number().int(), clean: share, robust: share }),
    ),
    /** The class with the lowest robust accuracy. */
    worstClass: z.strictObject({ class: z.number().int(), robust: share }),
    /** Predicted classes of the worst candidates, by label: `confusion[label][prediction]`. */
    confusion: z.array(z.array(z.number().int().min(0))),
    predictions: z.array(z.number().int().min(0)),
  }),
  findings: z.array(finding),
});
/** The outcome of an evaluation, plain JSON: enough to continue it, extend it, and compare it example by example. */
export type EvaluationResult = z.infer<typeof schema>;

/**
 * Checks what was read from a file: its form, and that every figure follows from its flags.
 * @throws BulwarkError DATA_CORRUPT
 */
export function parseEvaluation(json: unknown, where: string): EvaluationResult {
  const { data, error } = schema.safeParse(json);
  const wrong = error ? firstWrong(error, json) : contradiction(data);
  if (wrong === undefined) return data!;
  throw new BulwarkError('DATA_CORRUPT', `${where}: ${wrong}`, {
    hint: 'evaluate again with another output file, or delete this one',
  });
}
