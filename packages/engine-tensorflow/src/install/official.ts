import { readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { BulwarkError } from '@bulwark/core';
import { run } from '@bulwark/core/install';
import { bindingPath } from '../package.js';

/** The host that tfjs-node's own package.json names for its binaries, or the mirror that its variables name. */
function downloadHost(packageFolder: string): string {
  const mirror = process.env.TFJS_NODE_CDN_STORAGE ?? process.env.CDN_STORAGE;
  return (
    mirror ??
    (JSON.parse(readFileSync(join(packageFolder, 'package.json'), 'utf8')) as { binary: { host: string } }).binary.host
  );
}

/** True when the host of the official binaries answers at all within a few seconds. */
export async function officialDownloadAnswers(packageFolder: string, timeoutMs = 5000): Promise<boolean> {
  return fetch(downloadHost(packageFolder), { method: 'HEAD', signal: AbortSignal.timeout(timeoutMs) }).then(
    () => true,
    () => false,
  );
}

/** Runs the official install script of an unpacked tfjs-node: it downloads libtensorflow and a ready-made binding. */
export async function runOfficialInstall(packageFolder: string, gpu: boolean): Promise<void> {
  const dependencies = await run(
    'npm',
    ['install', '--omit=dev', '--ignore-scripts', '--no-audit', '--no-fund', '--no-package-lock'],
    {
      cwd: packageFolder,
      timeoutMs: 5 * 60_000,
    },
  );
  const tools = join(packageFolder, 'node_modules', '.bin');
  const script = await run(process.execPath, ['scripts/install.js', gpu ? 'gpu' : 'cpu', 'download'], {
    cwd: packageFolder,
    env: { PATH: `${tools}${delimiter}${process.env.PATH ?? ''}` },
    timeoutMs: 20 * 60_000,
  });
  // The script ends with 0 after some failures, so what counts is the addon.
  if (!bindingPath(packageFolder))
    throw new BulwarkError(
      'ENGINE_INSTALL',
      `the official install script of tfjs-node made no binding:\n${dependencies.code === 0 ? script.tail : dependencies.tail}`,
      {
        hint: 'use --from pip, which builds it here',
      },
    );
  await rm(join(packageFolder, 'node_modules'), { recursive: true, force: true });
}
