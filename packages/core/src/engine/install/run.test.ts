import { describe, expect, it } from '@jest/globals';
import { chmodSync, mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { askPython } from './ask-python.js';
import { probeInChild } from './probe.js';
import { run } from './run.js';

const folder = mkdtempSync(join(tmpdir(), 'bulwark-run-'));
function script(name: string, text: string): string {
  const file = join(folder, name);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `#!/bin/sh\n${text}\n`);
  chmodSync(file, 0o755);
  return file;
}

describe('a program', () => {
  it('that hangs is ended, though what it started holds its output open, and what it had said is known', async () => {
    const hung = await run(script('hangs', 'echo first; sleep 20; echo never'), [], { timeoutMs: 500 });
    expect(hung).toMatchObject({
      code: -1,
      stdout: 'first\n',
      tail: expect.stringMatching(/^first\n+.* was ended after 0\.5 s$/),
    });
  });

  it('that leaves another in the background has ended all the same', async () => {
    expect(await run(script('leaves', 'sleep 20 & echo done'), [])).toMatchObject({ code: 0, stdout: 'done\n' });
  });

  it('that says too much is heard to its end, and no more is kept than memory bears', async () => {
    const { stdout } = await run(script('talks', 'head -c 3000000 /dev/zero | tr "\\0" x; echo; echo Zoë'), []);
    expect(stdout.length).toBe(1e6);
    expect(stdout).toMatch(/x\nZoë\n$/);
  });

  it('that is none is no exception', async () => {
    for (const name of ['', '/no/such', folder]) expect((await run(name, [])).code).toBe(-1);
  });
});

describe('a Python that is asked', () => {
  const answers = 'echo "BULWARK-ANSWER[1]"';
  const ask = (python: string) => askPython(python, 'answer = 1', 1000);

  it.each<[string, () => string]>([
    [
      'warns before and after',
      () => script('warns', `echo warning; echo -n more; echo; ${answers}; echo bye; echo oh >&2`),
    ],
    ['ends badly after it has answered', () => script('ends', `${answers}; exit 3`)],
    ['is named by a relative path', () => relative(process.cwd(), script('a b/python', answers))],
  ])('is understood where it %s', async (_how, python) => {
    expect(await ask(python())).toEqual({ answer: [1] });
  });

  it.each<[string, () => string, RegExp]>([
    ['a folder', () => folder, /^is a folder, and has no Python$/],
    [
      'an environment’s folder',
      () => dirname(dirname(script('env/bin/python3', answers))),
      /^is a folder; its Python is .*env\/bin\/python3$/,
    ],
    [
      'another program',
      () => script('other', 'echo usage: other FILE >&2; exit 2'),
      /^does not answer as Python 3 does \(usage: other FILE\)$/,
    ],
    ['one that says nothing', () => script('mute', ''), /^does not answer as Python 3 does$/],
    ['one that hangs', () => script('hangs2', 'sleep 20'), /^does not run \(.*hangs2 was ended after 1 s\)$/],
    ['no program', () => script('no-program', '').replace('no-program', 'nowhere'), /^does not run$/],
  ])('is refused where it is %s, and why is told', async (_what, python, lack) => {
    expect(await ask(python())).toEqual({ lack: expect.stringMatching(lack) });
  });
});

describe('a trial of a library', () => {
  const hints = { what: 'the toy', failed: 'start over', wrong: 'take another' };
  const printReport = `import { printReport } from ${JSON.stringify(new URL('../../../dist/engine/install/probe.js', import.meta.url).href)};`;
  const trial = (name: string, text: string) => {
    const file = join(folder, `${name}.mjs`);
    writeFileSync(file, `${printReport}\n${text}`);
    return probeInChild(new URL(`file://${file}`), [], hints);
  };
  const refused = (code: string, message: RegExp, hint: string) =>
    expect.objectContaining({ code, message: expect.stringMatching(message), hint });

  it('is believed, whatever the library prints', async () => {
    const noisy =
      "process.on('exit', () => console.log('{bye')); console.log('{'); printReport(() => ({ torch: '2' }));";
    expect(await trial('noisy', noisy)).toEqual({ torch: '2' });
  });

  it.each<[string, string, ReturnType<typeof refused>]>([
    [
      'wrong',
      "printReport(() => ({ wrong: 'matmul is off by 1' }))",
      refused('ENGINE_NUMERICS', /^the toy loads but .*off by 1$/, 'take another'),
    ],
    [
      'missing',
      "printReport(() => { throw new Error('libx.so: cannot open') })",
      refused('ENGINE_INSTALL', /libx\.so: cannot open$/, 'start over'),
    ],
    [
      'deadly',
      "process.kill(process.pid, 'SIGSEGV'); setInterval(() => {}, 9)",
      refused('ENGINE_INSTALL', /ended by SIGSEGV$/, 'start over'),
    ],
    ['silent', 'process.exit(0)', refused('ENGINE_INSTALL', /^the toy does not load/, 'start over')],
  ])('tells that it is %s', async (name, text, error) => {
    await expect(trial(name, text)).rejects.toEqual(error);
  });
});
