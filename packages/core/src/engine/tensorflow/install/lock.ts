import { mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { BulwarkError } from '../../../errors.js';

const codeOf = (error: unknown): string | undefined => (error as NodeJS.ErrnoException).code;

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return codeOf(error) === 'EPERM';
  }
}

/** The process that holds the lock, or undefined when it is gone. A file without a number is being written just now, or is left over. */
async function holder(file: string): Promise<number | undefined> {
  const pid = Number.parseInt(await readFile(file, 'utf8').catch(() => ''), 10);
  if (Number.isInteger(pid)) return isRunning(pid) ? pid : undefined;
  const age =
    Date.now() -
    (await stat(file).then(
      ({ mtimeMs }) => mtimeMs,
      () => 0,
    ));
  return age < 5000 ? 0 : undefined;
}

/** Runs `work` while this process alone holds the lock file; a lock of a dead process is taken over. */
export async function withLock<T>(file: string, work: () => Promise<T>): Promise<T> {
  await mkdir(dirname(file), { recursive: true });
  for (let attempt = 0; ; attempt++) {
    try {
      await writeFile(file, String(process.pid), { flag: 'wx' });
      break;
    } catch (error) {
      if (codeOf(error) !== 'EEXIST') throw error;
      const pid = await holder(file);
      if (pid !== undefined || attempt > 0)
        throw new BulwarkError(
          'ENGINE_INSTALL',
          `another install of the tensorflow engine is running${pid ? ` (process ${pid})` : ''}`,
          {
            cure: `wait for it to end; if none is running, delete ${file}`,
          },
        );
      await rm(file, { force: true });
    }
  }
  try {
    return await work();
  } finally {
    await rm(file, { force: true });
  }
}
