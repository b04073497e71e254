import { createHash } from 'node:crypto';
import { z } from 'zod';
import { BulwarkError } from '../errors.js';
import { firstWrong } from '../files/index.js';
import { factsFromMetadata, factsToMetadata, readSafetensors, writeSafetensors } from '../formats/index.js';
import { snapshotVersion, type Snapshot, type TrainingState } from '../trainer/index.js';
import { epochMetricsSchema, numbersByName, overfittingSchema } from './stored-schema.js';

/** The checkpoints that a snapshot goes with, by kind: the digest of each, or `self` where it is the snapshot itself. */
export type Companions = Readonly<Partial<Record<'epoch' | 'best', string>>>;

/** A checkpoint as it is stored. */
export interface StoredCheckpoint extends Snapshot {
  /** Absent in older files. */
  readonly companions?: Companions;
  /** SHA-256 over everything in the file. */
  readonly digest: string;
}

const companionsSchema = z.strictObject({ epoch: z.string().optional(), best: z.string().optional() });

const count = z.number().int().min(0);
const trainingStateSchema = z.looseObject({
  version: count,
  seed: count,
  epoch: count,
  step: count,
  steps: count,
  epochSums: z.strictObject({ examples: count, sums: numbersByName }),
  history: z.array(epochMetricsSchema),
  learningRateScale: z.number(),
  rollbacks: count,
  overfitting: z.array(overfittingSchema).optional(),
  best: z.strictObject({ epoch: count, value: z.number(), metric: z.string() }).optional(),
  fingerprint: z.string().optional(),
});

/** Steps from an older version of the state to the next; index = version they start from. */
const migrations: Readonly<Record<number, (state: Record<string, unknown>) => Record<string, unknown>>> = {
  // version 2 counts what the guard rolled back
  1: (state) => ({ ...state, version: 2, learningRateScale: 1, rollbacks: 0 }),
};

/** Over all tensors and texts; files that name no companions are older and have it over their state alone. */
const digestOf = (tensors: Snapshot['tensors'], texts: Readonly<Record<string, string>>): string => {
  const ordered = <T>(entries: Iterable<[string, T]>) => [...entries].sort(([a], [b]) => (a < b ? -1 : 1));
  const older = texts['companions'] === undefined;
  const hash = createHash('sha256').update(
    older ? (texts['state'] ?? '') : JSON.stringify(ordered(Object.entries(texts))),
  );
  for (const [name, { shape, data }] of ordered(tensors))
    hash.update(`\n${name}:${shape.join()}\n`).update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  return hash.digest('hex');
};

/** The file of a snapshot with the checksum over all of it. */
export function sealCheckpoint(
  { state, tensors, facts }: Snapshot,
  companions: Companions,
): { bytes: Uint8Array; digest: string } {
  const about = facts ? factsToMetadata(facts) : {};
  const texts = { ...about, state: JSON.stringify(state), companions: JSON.stringify(companions) };
  const digest = digestOf(tensors, texts);
  const stored = new Map([...tensors].map(([name, { shape, data }]) => [name, { dtype: 'F32' as const, shape, data }]));
  return { bytes: writeSafetensors(stored, { bulwark: 'checkpoint', ...texts, sha256: digest }), digest };
}

/**
 * A snapshot as one safetensors file; the JSON state, the companions and a checksum over everything travel in its metadata.
 * @param companions which other checkpoints belong to it
 */
export const encodeCheckpoint = (snapshot: Snapshot, companions: Companions = {}): Uint8Array =>
  sealCheckpoint(snapshot, companions).bytes;

/** @throws BulwarkError CHECKPOINT_CORRUPT for anything that is not exactly what was written */
export function decodeCheckpoint(bytes: Uint8Array, path: string): StoredCheckpoint {
  const corrupt = (why: string) =>
    new BulwarkError('CHECKPOINT_CORRUPT', `${path}: ${why}`, {
      hint: 'resume from an older checkpoint or start the run again',
    });
  let file;
  try {
    file = readSafetensors(bytes);
  } catch (error) {
    throw corrupt((error as Error).message);
  }
  const { bulwark, sha256, ...texts } = file.metadata;
  const { state = '', companions } = texts;
  if (bulwark !== 'checkpoint') throw corrupt('this is not a checkpoint');
  const tensors = new Map<string, { shape: readonly number[]; data: Float32Array }>();
  for (const [name, { dtype, shape, data }] of file.tensors) {
    if (dtype !== 'F32') throw corrupt(`tensor ${name} is ${dtype}, expected F32`);
    tensors.set(name, { shape, data: data as Float32Array });
  }
  const digest = digestOf(tensors, texts);
  if (digest !== sha256) throw corrupt('the checksum differs');
  const found = migrate(parsed(state, corrupt), corrupt);
  check(trainingStateSchema, found, corrupt);
  const others = companions === undefined ? undefined : parsed(companions, corrupt);
  if (others !== undefined) check(companionsSchema, others, corrupt);
  const facts = factsFromMetadata(file.metadata, path);
  return {
    ...{ state: found as TrainingState, tensors, digest },
    ...(facts && { facts }),
    ...(others !== undefined && { companions: others }),
  };
}

function parsed(text: string, corrupt: (why: string) => BulwarkError): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw corrupt(`its metadata are not JSON: ${(error as Error).message}`);
  }
}

/** A checksum can be forged, so what it covers may be anything. */
function check<T>(schema: z.ZodType<T>, value: unknown, corrupt: (why: string) => BulwarkError): asserts value is T {
  const { error } = schema.safeParse(value);
  if (error) throw corrupt(`its metadata hold no state of a training: ${firstWrong(error, value)}`);
}

const versioned = z.looseObject({ version: z.number().int() });

/** Takes the state of an older version to this one. */
function migrate(state: unknown, corrupt: (why: string) => BulwarkError): unknown {
  check(versioned, state, corrupt);
  let current = state;
  while (current.version < snapshotVersion) {
    const migration = migrations[current.version];
    if (!migration) throw corrupt(`version ${current.version} is too old; this Bulwark reads ${snapshotVersion}`);
    current = migration(current) as typeof current;
  }
  if (current.version !== snapshotVersion)
    throw corrupt(`version ${current.version} is newer than this Bulwark, which reads ${snapshotVersion}`);
  return current;
}
