// Takes the lock and lets it go, again and again, noting both in a ledger; until it is killed.
import { appendFileSync } from 'node:fs';
import { tryLockFile } from '../../packages/core/dist/files/lock.js';

const [, , path, ledger] = process.argv;
process.send('ready');
for (;;) {
  const lock = tryLockFile(path);
  if (!('release' in lock)) continue;
  appendFileSync(ledger, `+${process.pid}\n`);
  for (const began = process.hrtime.bigint(); process.hrtime.bigint() - began < 200_000n;);
  appendFileSync(ledger, `-${process.pid}\n`);
  lock.release();
}
