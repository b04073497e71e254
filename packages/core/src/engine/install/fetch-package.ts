import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { BulwarkError } from '../../errors.js';
import { run } from './run.js';

/** Downloads one npm package and unpacks it to `folder`, without running its scripts or installing its dependencies. */
export async function fetchPackage(spec: string, folder: string): Promise<void> {
  const workplace = `${folder}-download`;
  await mkdir(workplace, { recursive: true });
  const failed = (step: string, tail: string) =>
    new BulwarkError('ENGINE_INSTALL', `${step} ${spec} failed:\n${tail}`, {
      cure: "check npm's registry and proxy settings (`npm ping`), then try again",
    });
  const packed = await run('npm', ['pack', spec, '--pack-destination', workplace], {
    cwd: workplace,
    timeoutMs: 5 * 60_000,
  });
  const archive = (await readdir(workplace)).find((name) => name.endsWith('.tgz'));
  if (packed.code !== 0 || !archive) throw failed('downloading', packed.tail);
  const unpacked = await run('tar', ['-xzf', archive], { cwd: workplace });
  if (unpacked.code !== 0) throw failed('unpacking', unpacked.tail);
  await mkdir(dirname(folder), { recursive: true });
  await rename(join(workplace, 'package'), folder);
  await rm(workplace, { recursive: true, force: true });
}
