import { spawnSync } from 'node:child_process';
import { describe, expect, it } from '@jest/globals';
import { main } from '../testing.js';
import { exitCodeOf, textOfFailure } from './fail.js';

/** Runs the command where it may open so many files. */
function withFiles(limit: number, ...args: string[]) {
  const command = ['-c', `ulimit -n ${limit} && exec "$@"`, 'sh', process.execPath, main, ...args];
  return spawnSync('sh', command, { encoding: 'utf8' });
}

describe('few files to open', () => {
  // Node 22 and later read one module after the other, and do with few
  it.each([24, 60, 100, 160, 200])('%d: works, or says what the limit is and how to raise it', (limit) => {
    const { status, stderr, stdout } = withFiles(limit, 'plugins');
    if (status === 0) {
      expect(stderr).toBe('');
      expect(stdout).toContain('trades');
      return;
    }
    expect(stderr).toBe(
      `error this process may have ${limit} files open; Bulwark needs 256\n  raise the limit: ulimit -n 1024\n`,
    );
    expect(status).toBe(1);
  });
  it('256 are enough', () => {
    expect(withFiles(256, 'plugins')).toMatchObject({ status: 0, stderr: '' });
  });
});

describe('an error of the system that nobody caught', () => {
  const ofSystem = (code: string) =>
    Object.assign(new Error(`${code}: it is so, open '/data/x'`), { code, syscall: 'open', errno: -1 });
  it.each([
    ['EACCES', 'make the folder writable, or choose another'],
    ['ENOSPC', 'free disk space'],
    ['EIO', 'check the path and the disk'],
  ])('%s is not called a fault of ours', (code, hint) => {
    expect(exitCodeOf(ofSystem(code))).toBe(1);
    expect(textOfFailure(ofSystem(code))).toBe(`error ${code}: it is so, open '/data/x'\n  ${hint}\n`);
  });
  it('is told from a fault of ours', () => {
    expect(exitCodeOf(new TypeError('x is undefined'))).toBe(70);
    expect(textOfFailure(new TypeError('x is undefined'))).toContain('this is a fault in Bulwark');
  });
});
