import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { BulwarkError } from '../../errors.js';
import { run } from './run.js';

/** A release of an npm package, with the digest that it had when it was tried here, in npm's form. */
export interface PinnedPackage {
  /** `name@version`. */
  readonly spec: string;
  /** `sha512-<base64>` of the archive. */
  readonly integrity: string;
}

/**
 * Downloads one npm package and unpacks it to `folder`, without running its scripts or installing its dependencies.
 * @throws BulwarkError ENGINE_INSTALL, also for another archive than the pinned one
 */
export async function fetchPackage({ spec, integrity }: PinnedPackage, folder: string): Promise<void> {
  const workplace = `${folder}-download`;
  await mkdir(workplace, { recursive: true });
  const failed = (step: string, tail: string) =>
    new BulwarkError('ENGINE_INSTALL', `${step} ${spec} failed:\n${tail}`, {
      hint: "check npm's registry and proxy settings (`npm ping`), then try again",
    });
  const packed = await run('npm', ['pack', spec, '--pack-destination', workplace], {
    cwd: workplace,
    timeoutMs: 5 * 60_000,
  });
  const archive = (await readdir(workplace)).find((name) => name.endsWith('.tgz'));
  if (packed.code !== 0 || !archive) throw failed('downloading', packed.tail);
  const digest = createHash('sha512')
    .update(await readFile(join(workplace, archive)))
    .digest('base64');
  if (`sha512-${digest}` !== integrity) {
    await rm(workplace, { recursive: true, force: true });
    throw new BulwarkError('ENGINE_INSTALL', `npm gave another ${spec} than the one known here: sha512-${digest}`, {
      hint: "ask npm's registry itself: npm config get registry; do not use this package",
    });
  }
  const unpacked = await run('tar', ['-xzf', archive], { cwd: workplace });
  if (unpacked.code !== 0) throw failed('unpacking', unpacked.tail);
  await mkdir(dirname(folder), { recursive: true });
  await rename(join(workplace, 'package'), folder);
  await rm(workplace, { recursive: true, force: true });
}
