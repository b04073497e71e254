import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { pipWheel, sha256Of, unknownWheel } from './pinned-wheel.js';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'bulwark-wheel-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** A Python whose pip notes its words and its requirements, and then does this. */
function python(then: string): string {
  const file = join(folder, 'python');
  writeFileSync(
    file,
    `#!/bin/sh\necho "$*" > ${folder}/words\ncp "${folder}/requirements.txt" ${folder}/seen\n${then}\n`,
  );
  chmodSync(file, 0o755);
  return file;
}
const download = { command: ['download'], get folder() { return folder; } }; // prettier-ignore

describe('a wheel from pip', () => {
  it('is asked for by its digests, all of which will do', async () => {
    const result = await pipWheel(python('exit 0'), { requirement: 'a==1', sha256: ['00', 'ff'] }, download);
    expect(result.code).toBe(0);
    expect(readFileSync(join(folder, 'seen'), 'utf8')).toBe('a==1 --hash=sha256:00 --hash=sha256:ff\n');
    expect(readFileSync(join(folder, 'words'), 'utf8')).toMatch(/^-m pip download --no-deps .*--require-hashes -r /);
    expect(existsSync(join(folder, 'requirements.txt'))).toBe(false);
  });

  it('that is another one is refused', async () => {
    const other = python('echo "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM" >&2; exit 1');
    await expect(pipWheel(other, { requirement: 'a==1', sha256: ['00'] }, download)).rejects.toMatchObject({
      code: 'ENGINE_INSTALL',
      message: expect.stringMatching(/^pip gave another a==1 than the one known here/),
    });
  });

  it('that pip does not get is no fault of its digest', async () => {
    const { code, tail } = await pipWheel(python('echo no network; exit 1'), { requirement: 'a==1', sha256: ['00'] }, download); // prettier-ignore
    expect([code, tail]).toEqual([1, 'no network']);
  });

  it('without a known digest is asked for without one, and named', async () => {
    await pipWheel(python('exit 0'), { requirement: 'a==1', sha256: [] }, download);
    expect(readFileSync(join(folder, 'words'), 'utf8')).not.toMatch(/hashes/);
    const digest = await sha256Of(join(folder, 'seen'));
    expect(digest).toMatch(/^[0-9a-f]{64}$/);
    expect(unknownWheel('a.whl', digest)).toMatch(new RegExp(`^no digest of a\\.whl is known here.*sha256 ${digest}$`));
  });
});
