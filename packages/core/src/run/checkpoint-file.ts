import { createHash } from 'node:crypto';
import { BulwarkError } from '../errors.js';
import { factsFromMetadata, factsToMetadata, readSafetensors, writeSafetensors } from '../formats/index.js';
import { snapshotVersion, type Snapshot, type TrainingState } from '../trainer/index.js';

/** Steps from an older version of the state to the next; index = version they start from. */
const migrations: Readonly<Record<number, (state: Record<string, unknown>) => Record<string, unknown>>> = {
  // version 2 counts what the guard rolled back
  1: (state) => ({ ...state, version: 2, learningRateScale: 1, rollbacks: 0 }),
};

const digest = (tensors: Snapshot['tensors'], state: string): string => {
  const hash = createHash('sha256').update(state);
  for (const [name, { shape, data }] of [...tensors].sort(([a], [b]) => (a < b ? -1 : 1)))
    hash.update(`\n${name}:${shape.join()}\n`).update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  return hash.digest('hex');
};

/** A snapshot as one safetensors file; the JSON state and a checksum over everything travel in its metadata. */
export function encodeCheckpoint({ state, tensors, facts }: Snapshot): Uint8Array {
  const text = JSON.stringify(state);
  const stored = new Map([...tensors].map(([name, { shape, data }]) => [name, { dtype: 'F32' as const, shape, data }]));
  const about = facts ? factsToMetadata(facts) : {};
  return writeSafetensors(stored, { bulwark: 'checkpoint', state: text, sha256: digest(tensors, text), ...about });
}

/** @throws BulwarkError CHECKPOINT_CORRUPT for anything that is not exactly what was written */
export function decodeCheckpoint(bytes: Uint8Array, path: string): Snapshot {
  const corrupt = (why: string) =>
    new BulwarkError('CHECKPOINT_CORRUPT', `${path}: ${why}`, {
      cure: 'resume from an older checkpoint or start the run again',
    });
  let file;
  try {
    file = readSafetensors(bytes);
  } catch (error) {
    throw corrupt((error as Error).message);
  }
  const { bulwark, state: text = '', sha256 } = file.metadata;
  if (bulwark !== 'checkpoint') throw corrupt('this is not a checkpoint');
  const tensors = new Map<string, { shape: readonly number[]; data: Float32Array }>();
  for (const [name, { dtype, shape, data }] of file.tensors) {
    if (dtype !== 'F32') throw corrupt(`tensor ${name} is ${dtype}, expected F32`);
    tensors.set(name, { shape, data: data as Float32Array });
  }
  if (digest(tensors, text) !== sha256) throw corrupt('the checksum differs');
  const facts = factsFromMetadata(file.metadata, path);
  return { state: migrate(JSON.parse(text) as TrainingState, corrupt), tensors, ...(facts && { facts }) };
}

function migrate(state: TrainingState, corrupt: (why: string) => BulwarkError): TrainingState {
  let current = state as unknown as Record<string, unknown> & { version: number };
  while (current.version < snapshotVersion) {
    const migration = migrations[current.version];
    if (!migration) throw corrupt(`version ${current.version} is too old; this Bulwark reads ${snapshotVersion}`);
    current = migration(current) as typeof current;
  }
  if (current.version !== snapshotVersion)
    throw corrupt(`version ${current.version} is newer than this Bulwark, which reads ${snapshotVersion}`);
  return current as unknown as TrainingState;
}
