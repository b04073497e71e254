// Processes that fight for one lock, some of which are killed while they hold it: never two holders.
import { fork } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createRandom } from '../../packages/core/dist/index.js';

const processes = 4;

export async function torture({ until, seed, folder, report }) {
  mkdirSync(folder, { recursive: true });
  const random = createRandom(seed, 'torture-lock');
  const [path, ledger] = [join(folder, 'lock'), join(folder, 'ledger')];
  const run = () =>
    new Promise((ended) => {
      const child = fork(new URL('./lock-fighter.mjs', import.meta.url).pathname, [path, ledger]);
      let end;
      child.once('message', () => {
        end = setTimeout(() => child.kill('SIGKILL'), Math.min(until() - Date.now(), 300 + random.integer(1500)));
      });
      child.on('exit', () => {
        clearTimeout(end);
        ended();
      });
    });
  const chain = async () => {
    while (Date.now() < until() - 100) await run();
  };
  await Promise.all(Array.from({ length: processes }, chain));
  // every holder wrote `+pid` when it came and `-pid` when it went; one that was killed wrote no `-`
  const lines = existsSync(ledger) ? readFileSync(ledger, 'utf8').split('\n').filter(Boolean) : [];
  let holder;
  lines.forEach((line, i) => {
    const [sign, pid, ...rest] = [line[0], line.slice(1)];
    if (rest.length > 0 || !/^\d+$/.test(pid)) return report.failure(`line ${i} of the ledger is ${line}`);
    if (sign === '+') {
      report.attempt();
      holder = pid;
    } else if (holder !== pid) report.failure(`process ${pid} let go of a lock that ${holder} had come to meanwhile`);
    else holder = undefined;
  });
}
