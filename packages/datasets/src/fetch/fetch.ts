import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { BulwarkError } from '@bulwark/core';
import { corrupt } from '../corrupt.js';
import { dataRoot, findFile } from '../folder.js';
import { readWholeSet } from '../sources/whole-set.js';
import { remoteSets, type RemoteFile, type RemoteSet } from './catalogue.js';
import { withLock } from './lock.js';
import { readTar } from './tar.js';
import { hashFile, transfer, writeFailure, type OnProgress } from './transfer.js';

/** From where, to where, and whom to tell. */
export interface FetchOptions {
  /** A mirror's url, or a folder with the published files or the unpacked ones. Default: the official place. */
  readonly from?: string | undefined;
  /** Default: `$BULWARK_DATA`, else `~/.cache/bulwark/data`. */
  readonly root?: string | undefined;
  /** Replaces a copy that is there. */
  readonly force?: boolean | undefined;
  /** Takes files whose checksum is not the published one; they are still read through once. */
  readonly unchecked?: boolean | undefined;
  readonly onProgress?: OnProgress | undefined;
}

/** What was fetched, and where it is. */
export interface Fetched {
  readonly folder: string;
  /** False if the data set was there already. */
  readonly isNew: boolean;
}

/**
 * Brings a data set to this machine. Everything is collected and checked in a folder of its own and moved to its place at the very end,
 * so that a set which is there is whole.
 * @throws BulwarkError DATA_FETCH, DATA_CORRUPT, USAGE
 */
export async function fetchDataSet(name: string, options: FetchOptions = {}): Promise<Fetched> {
  const remote = findRemote(name);
  const root = options.root ?? dataRoot();
  const folder = join(root, name);
  return withLock(join(root, `.${name}.lock`), async () => {
    if (existsSync(folder) && !options.force) {
      readWholeSet(remote.set, folder);
      return { folder, isNew: false };
    }
    const staging = join(root, `.${name}.fetching`);
    mkdirSync(staging, { recursive: true });
    await collect(remote, staging, options);
    readThrough(remote, staging);
    const old = join(root, `.${name}.old`);
    rmSync(old, { recursive: true, force: true });
    if (existsSync(folder)) renameSync(folder, old);
    renameSync(staging, folder);
    rmSync(old, { recursive: true, force: true });
    return { folder, isNew: true };
  });
}

/** A last look at everything before it is put in place. What cannot be read is removed, so that the next attempt starts anew. */
function readThrough(remote: RemoteSet, staging: string): void {
  try {
    readWholeSet(remote.set, staging);
  } catch (error) {
    rmSync(staging, { recursive: true, force: true });
    throw error;
  }
  for (const { name } of remote.files) rmSync(join(staging, `${name}.unpacked`), { force: true });
}

function findRemote(name: string): RemoteSet {
  const found = remoteSets.find(({ set }) => set.name === name);
  if (found) return found;
  const known = remoteSets.map(({ set }) => set.name).join(', ');
  throw new BulwarkError('USAGE', `no data set called ${JSON.stringify(name)} can be fetched; known: ${known}`, {
    hint: 'fashion-mnist-mini comes with the package and needs no fetching',
  });
}

async function collect(remote: RemoteSet, staging: string, options: FetchOptions): Promise<void> {
  const { from } = options;
  const isUrl = from !== undefined && /^https?:\/\//.test(from);
  if (from === undefined || isUrl) {
    for (const file of remote.files)
      await collectFile(
        file,
        { url: isUrl ? `${from.replace(/\/+$/, '')}/${file.name}` : file.url },
        { staging, ...options },
      );
    return;
  }
  if (!existsSync(from))
    throw new BulwarkError('DATA_FETCH', `--from ${from} does not exist`, { hint: 'give an existing folder or a url' });
  const paths = remote.files.map(({ name }) => findFile(from, [name]));
  if (paths.every((path) => path !== undefined)) {
    for (const [i, file] of remote.files.entries())
      await collectFile(file, { path: paths[i]! }, { staging, ...options });
    return;
  }
  const whole = remote.unpacked.find((names) => names.every((name) => findFile(from, [name, basename(name)])));
  if (!whole)
    throw new BulwarkError(
      'DATA_FETCH',
      `${from} does not hold ${remote.set.name}: it has no ${remote.files[paths.indexOf(undefined)]!.name}`,
      {
        hint: `it needs ${remote.files.map(({ name }) => name).join(', ')}, or the files unpacked from ${remote.files.length > 1 ? 'them' : 'it'}`,
      },
    );
  for (const name of whole) {
    mkdirSync(dirname(join(staging, name)), { recursive: true });
    await transfer({ path: findFile(from, [name, basename(name)])! }, join(staging, name), {
      file: name,
      onProgress: options.onProgress,
    });
  }
}

async function collectFile(
  file: RemoteFile,
  from: { url: string } | { path: string },
  options: FetchOptions & { staging: string },
): Promise<void> {
  const target = join(options.staging, file.name);
  const done = file.members ? `${target}.unpacked` : target;
  if (existsSync(done)) return;
  const part = `${target}.part`;
  await transfer(from, part, { file: file.name, onProgress: options.onProgress });
  if (!options.unchecked) await verify(file, part);
  if (file.members) unpack(file, part, options.staging);
  else renameSync(part, target);
}

/** Accepts the published file, or one with the same contents that was compressed anew. A wrong one is removed, so that it is not resumed. */
async function verify(file: RemoteFile, part: string): Promise<void> {
  const md5 = await hashFile(part, { algorithm: 'md5' });
  if (md5 === file.md5) return;
  const contents =
    file.contents && (await hashFile(part, { algorithm: 'sha256', gunzip: true }).catch(() => undefined));
  if (contents !== undefined && contents === file.contents) return;
  rmSync(part);
  throw new BulwarkError('DATA_FETCH', `${file.name}: the MD5 checksum is ${md5}; expected ${file.md5}`, {
    hint: 'the download is damaged or another version: run it again, try another mirror with --from, or accept it with --unchecked',
  });
}

/** Writes the wanted files of an archive. It is removed then, or if it is damaged; not if only the disk is full. */
function unpack(file: RemoteFile, part: string, staging: string): void {
  for (const [member, bytes] of wantedFiles(file, part)) {
    const path = join(staging, member);
    try {
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, bytes);
    } catch (error) {
      throw writeFailure(error, { path });
    }
  }
  writeFileSync(join(staging, `${file.name}.unpacked`), '');
  rmSync(part);
}

function wantedFiles(file: RemoteFile, part: string): [member: string, bytes: Uint8Array][] {
  try {
    const files = readTar(gunzip(file, part), file.name);
    return file.members!.map((member) => {
      const bytes = files.get(member);
      if (!bytes) throw corrupt({ file: file.name }, `the archive has no ${member}`);
      return [member, bytes];
    });
  } catch (error) {
    rmSync(part);
    throw error;
  }
}

function gunzip(file: RemoteFile, part: string): Uint8Array {
  try {
    return gunzipSync(readFileSync(part));
  } catch (cause) {
    throw corrupt({ file: file.name }, `cannot be decompressed: ${(cause as Error).message}`, { cause });
  }
}
