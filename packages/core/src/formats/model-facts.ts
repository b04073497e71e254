import { z } from 'zod';
import { firstWrong } from '../files/wrong-value.js';
import { invalidWeights } from './stored-tensor.js';

/** An architecture and all options that it was built with: enough to build it again. */
export interface ArchitectureSpec {
  /** Name of the model plugin. */
  readonly use: string;
  readonly [option: string]: unknown;
}

/** Normalisation that a network applies to its input, one number per channel, in pixel values of [0, 1]. */
export interface InputNormalisation {
  readonly mean: readonly number[];
  readonly std: readonly number[];
}

/**
 * What has to be known of a network, besides its tensors, to compute what it computes. It travels in the metadata of weights
 * files, checkpoints and exports.
 */
export interface ModelFacts {
  /** Absent if the network was not made by a plugin with options, such as a layers model of the user's. */
  readonly architecture?: ArchitectureSpec;
  /** `[height, width, channels]` of one image: float32 in [0, 1], channels last. */
  readonly inputShape: readonly [height: number, width: number, channels: number];
  /** What the network does to its input before the first layer; null: nothing; absent: not known. */
  readonly normalize?: InputNormalisation | null;
  /** Number of logits. */
  readonly classes: number;
  /** Names of the classes in the order of the logits. */
  readonly classNames?: readonly string[];
  /** What the network was trained to withstand. */
  readonly threat?: { readonly norm: string; readonly epsilon: number };
  /** Name of the data source that it was trained on. */
  readonly data?: string;
  /** Name of the training method. */
  readonly objective?: string;
  /** Of `fingerprintModel`: says which evaluations are of these weights. */
  readonly fingerprint?: string;
}

/** Key of the facts in the metadata of a file, in every format that holds text by key. */
export const factsKey = 'bulwark.model';

const version = 1;
const numbers = z.array(z.number()).min(1).max(64);
const name = z.string().min(1).max(200);

const schema = z.object({
  version: z.literal(version),
  architecture: z.looseObject({ use: name }).optional(),
  inputShape: z.tuple([z.int().min(1), z.int().min(1), z.int().min(1)]),
  normalize: z.object({ mean: numbers, std: numbers }).nullable().optional(),
  classes: z.int().min(1),
  classNames: z.array(z.string().max(1000)).max(100_000).optional(),
  threat: z.object({ norm: name, epsilon: z.number().min(0) }).optional(),
  data: name.optional(),
  objective: name.optional(),
  fingerprint: name.optional(),
});

/** The facts as one entry of a file's metadata: JSON under `factsKey`. */
export function factsToMetadata(facts: ModelFacts): Record<typeof factsKey, string> {
  return { [factsKey]: JSON.stringify({ version, ...facts }) };
}

/**
 * The facts in the metadata of a file; undefined if it has none, because another tool wrote it.
 * @throws BulwarkError WEIGHTS_INVALID if they are damaged, or of a newer version
 */
export function factsFromMetadata(
  metadata: Readonly<Record<string, unknown>>,
  where = 'the file',
): ModelFacts | undefined {
  if (!Object.hasOwn(metadata, factsKey)) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(String(metadata[factsKey]));
  } catch (cause) {
    throw invalidWeights(`${where}: metadata ${factsKey} is not JSON: ${(cause as Error).message.slice(0, 200)}`);
  }
  const found = (value as { version?: unknown } | null)?.version;
  if (typeof found === 'number' && found > version)
    throw invalidWeights(
      `${where}: metadata ${factsKey} has version ${found}; this Bulwark reads ${version}`,
      'update Bulwark, or export the model again with this version',
    );
  const parsed = schema.safeParse(value);
  if (!parsed.success) throw invalidWeights(`${where}: metadata ${factsKey}: ${firstWrong(parsed.error, value)}`);
  const { version: _version, ...facts } = parsed.data;
  return facts as ModelFacts;
}

/** Where two descriptions of a network disagree. */
export interface FactDifference {
  /** `inputShape`, `classes`, `normalize`, `architecture`, or an option of the architecture. */
  readonly what: string;
  readonly file: unknown;
  readonly model: unknown;
}

/** Options that say where weights come from, not what is computed. */
const places = ['use', 'weights', 'path'];

/**
 * What in the file's facts contradicts the model's: an empty list means that equal tensors compute equal logits. What one side does not
 * know is no contradiction. Options are compared if both name the same architecture.
 */
export function factDifferences(file: ModelFacts, model: ModelFacts): FactDifference[] {
  const differences: FactDifference[] = [];
  const compare = (what: string, ofFile: unknown, ofModel: unknown) => {
    if (!sameValue(ofFile, ofModel)) differences.push({ what, file: ofFile, model: ofModel });
  };
  compare('inputShape', file.inputShape, model.inputShape);
  compare('classes', file.classes, model.classes);
  if (file.normalize !== undefined && model.normalize !== undefined)
    compare('normalize', file.normalize, model.normalize);
  const [theirs, ours] = [file.architecture, model.architecture];
  if (!theirs || !ours) return differences;
  if (theirs.use !== ours.use) return [...differences, { what: 'architecture', file: theirs.use, model: ours.use }];
  for (const [option, value] of Object.entries(theirs))
    if (!places.includes(option) && option !== 'normalize') compare(option, value, ours[option]);
  return differences;
}

/** JSON values, numbers to the precision of float32. */
function sameValue(a: unknown, b: unknown): boolean {
  if (typeof a === 'number' && typeof b === 'number') return Math.abs(a - b) <= 1e-6 * Math.max(1, Math.abs(a));
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return a === b;
  const keys = new Set([...Object.keys(a), ...Object.keys(b)]);
  return [...keys].every((key) => sameValue((a as Record<string, unknown>)[key], (b as Record<string, unknown>)[key]));
}
