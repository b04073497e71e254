import { copyFileSync, existsSync, linkSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { BulwarkError } from '../errors.js';
import { readIfThere, syncFile, syncFolder, writeAtomically } from '../files/index.js';
import type { CheckpointKind } from '../trainer/index.js';
import { decodeCheckpoint, sealCheckpoint, type Companions, type StoredCheckpoint } from './checkpoint-file.js';
import type { RunFolder } from './run-folder.js';
import { inRun } from './run-write.js';

type Companion = keyof Companions;
const companionKinds: readonly Companion[] = ['best', 'epoch'];

/** What stands in for a `last` that is damaged or gone: older states of the same run, from which it goes on to the same end. */
const standIns = ['previous', ...companionKinds, 'best.previous', 'epoch.previous'] as const;
type Name = 'last' | (typeof standIns)[number];

type Found = StoredCheckpoint & { readonly name: Name };

/**
 * The checkpoints of a run as one fact. `last` is put in place last, and says by digest which `best` and `epoch` belong to it;
 * what those two replace stays beside them (`*.previous`) until `last` no longer refers to it. So wherever a process is stopped, the
 * newest `last` and its companions are there, and a file that does not belong to it is never taken for one that does.
 *
 * Files are only ever replaced, never changed, so that several names can share one.
 */
export function checkpointSet(folder: string, warn: (message: string) => void): RunFolder['checkpoints'] {
  const file = (name: string) => join(folder, `${name}.safetensors`);
  /** The checkpoint under this name; undefined if there is none. @throws BulwarkError CHECKPOINT_CORRUPT */
  const read = (name: Name): Found | undefined => {
    let bytes: Uint8Array | undefined;
    try {
      bytes = readIfThere(file(name));
    } catch (cause) {
      const { message } = cause as Error;
      throw new BulwarkError('CHECKPOINT_CORRUPT', `${file(name)} cannot be read: ${message}`, {
        hint: 'mend what keeps it from being read; moved away, it is replaced by the checkpoint before it',
        cause,
      });
    }
    return bytes && { ...decodeCheckpoint(bytes, file(name)), name };
  };
  /** The same, but a damaged file counts as none; one that cannot be read is an error, as it may be whole. */
  const readWhole = (name: Name, damaged: (error: BulwarkError) => void): Found | undefined => {
    try {
      return read(name);
    } catch (error) {
      if (!(error instanceof BulwarkError) || error.cause !== undefined) throw error;
      damaged(error);
      return undefined;
    }
  };

  /** The newest whole checkpoint, with what was damaged before it was found. */
  const newest = (): { found: Found; damage?: BulwarkError } => {
    let damage: BulwarkError | undefined;
    for (const name of ['last', ...standIns] as const) {
      const found = readWhole(name, (error) => (damage ??= error));
      if (found) return { found, ...(damage && { damage }) };
    }
    throw damage ?? missing(folder, 'last');
  };

  /** Finds the file that holds a companion, whatever its name. */
  const companionOf = (base: Found, kind: Companion): Found | undefined => {
    if (wanted(base, kind) === 'self') return base;
    const others = [kind, `${kind}.previous`, 'last', ...standIns] as const;
    for (const name of new Set<Name>(others)) {
      const candidate = readWhole(name, () => undefined);
      if (candidate && isCompanion(base, kind, candidate)) return candidate;
    }
    return undefined;
  };

  /** Gives the content of one file a second name; what had that name gets another, if it is to be kept. */
  const place = (from: string, name: Name, keep?: Name) => {
    const next = file(`${name}.next`);
    share(from, next);
    if (keep) renameIfThere(file(name), file(keep));
    renameSync(next, file(name));
  };

  /** Digests of the companions of the newest checkpoint; undefined until this process has written or settled it. */
  let current: Companions | undefined;

  return {
    has: (kind) =>
      kind === 'last'
        ? ['last', ...standIns].some((name) => existsSync(file(name)))
        : wanted(newest().found, kind) !== undefined,
    save(kinds, snapshot) {
      const changed = companionKinds.filter((kind) => kinds.includes(kind));
      const companions = (self: string) => byKind((kind) => (changed.includes(kind) ? self : current?.[kind]));
      const { bytes, digest } = sealCheckpoint(snapshot, companions('self'));
      const next = file('next');
      inRun(folder, () => {
        writeAtomically(next, bytes);
        for (const kind of changed) place(next, kind, `${kind}.previous`);
        syncFolder(folder);
        renameIfThere(file('last'), file('previous'));
        renameSync(next, file('last'));
        syncFolder(folder);
        current = companions(digest);
        // the checkpoint before this one has the same companions
        for (const kind of companionKinds)
          if (!changed.includes(kind)) rmSync(file(`${kind}.previous`), { force: true });
      });
    },
    load(kind) {
      let tried: string | undefined;
      for (let tries = 0; ; tries++) {
        const { found, damage } = newest();
        const companion = kind === 'last' ? found : companionOf(found, kind);
        if (companion) {
          if (damage) warn(standInMessage(damage, file(found.name)));
          return companion;
        }
        // a run that trains may have replaced everything in the meantime
        if (found.digest === tried || tries === 10) throw missing(folder, kind, found);
        tried = found.digest;
      }
    },
    settle() {
      const { found, damage } = newest();
      const companions = companionKinds
        .filter((kind) => wanted(found, kind) !== undefined)
        .map((kind) => {
          const companion = companionOf(found, kind);
          if (!companion) throw missing(folder, kind, found);
          return { kind, companion, there: readWhole(kind, () => undefined)?.digest === companion.digest };
        });
      if (damage) warn(standInMessage(damage, file(found.name)));
      inRun(folder, () => {
        if (damage) renameIfThere(file('last'), file('damaged'));
        for (const { kind, companion, there } of companions) if (!there) place(file(companion.name), kind);
        if (found.name !== 'last') place(file(found.name), 'last');
        syncFolder(folder);
      });
      current = byKind((kind) => companions.find((each) => each.kind === kind)?.companion.digest);
      return found;
    },
  };
}

/** The same order always, so that the same state gives the same bytes. */
const byKind = (digest: (kind: Companion) => string | undefined): Companions =>
  Object.fromEntries(
    companionKinds.map((kind) => [kind, digest(kind)] as const).filter(([, found]) => found !== undefined),
  );

const standInMessage = ({ message }: BulwarkError, file: string) => `${message}; ${file} stands in for it`;

function renameIfThere(from: string, to: string): void {
  try {
    renameSync(from, to);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}

/** Which checkpoint a base refers to as this kind: a digest or `self`; in files that hold no digests, any text if there is one. */
function wanted({ companions, state }: Found, kind: Companion): string | undefined {
  if (companions) return companions[kind];
  return kind === 'epoch' || state.best ? 'by state' : undefined;
}

/** Is `candidate` the one that `base` refers to? Older files are told apart by what they say of themselves. */
function isCompanion(base: Found, kind: Companion, candidate: Found): boolean {
  if (base.companions) return candidate.digest === base.companions[kind];
  const { best, epoch, fingerprint, rollbacks } = base.state;
  const { state } = candidate;
  if (state.step !== 0 || state.fingerprint !== fingerprint) return false;
  if (kind === 'epoch') return state.epoch === epoch && state.rollbacks === rollbacks;
  return state.epoch === best?.epoch && JSON.stringify(state.best) === JSON.stringify(best);
}

const names = { last: 'the last checkpoint', best: 'the best checkpoint', epoch: 'the checkpoint of its last epoch' };

function missing(folder: string, kind: CheckpointKind, base?: Found): BulwarkError {
  const refersTo = base && kind !== 'last' && wanted(base, kind) !== undefined;
  const run = dirname(folder);
  if (!refersTo)
    return new BulwarkError('CHECKPOINT_MISSING', `${folder} has no ${kind} checkpoint`, {
      hint: `train the run first: bulwark train --resume ${run}`,
    });
  const which = kind === 'best' ? ` (end of epoch ${base.state.best?.epoch})` : '';
  return new BulwarkError(
    'CHECKPOINT_CORRUPT',
    `${folder}: ${names[kind]}${which} is damaged, or belongs to another state of the run than ${base.name}.safetensors`,
    { hint: `restore ${kind}.safetensors from a copy; the last checkpoint is still good: --checkpoint last` },
  );
}

/** A second name for a file, or a copy where the file system knows no links. */
function share(from: string, to: string): void {
  rmSync(to, { force: true });
  try {
    linkSync(from, to);
  } catch {
    copyFileSync(from, to);
    syncFile(to);
  }
}
