import { fork, type ChildProcess } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from '@jest/globals';
import { temporaryFolder } from '../train/testing.js';
import { endWhenSilent } from './silence.js';

const start = (code: string): ChildProcess => {
  const file = join(temporaryFolder(), 'child.cjs');
  writeFileSync(file, code);
  return fork(file, { stdio: 'ignore' });
};
const endOf = (child: ChildProcess) => new Promise((done) => child.on('exit', (code, signal) => done(signal ?? code)));

it('a child process that hangs is ended', async () => {
  const child = start('process.send(1); for (;;);');
  const silence = endWhenSilent(child, 1);
  expect(await endOf(child)).toBe('SIGKILL');
  expect(silence.ended()).toBe(true);
});

it('a child process that goes on sending messages is not', async () => {
  const child = start(`
    let sent = 0;
    const timer = setInterval(() => { process.send(1); if (++sent === 12) { clearInterval(timer); process.disconnect(); } }, 250);
  `);
  const silence = endWhenSilent(child, 2);
  expect(await endOf(child)).toBe(0);
  expect(silence.ended()).toBe(false);
});
