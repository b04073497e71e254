// Tries to break what must hold against crashes, hostile files, runs and pages, and processes that fight: `npm run torture`.
// --seconds 600  --seed 1  --only files,lock
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { createReport, table } from './torture/report.mjs';

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '600' },
    seed: { type: 'string', default: '1' },
    only: { type: 'string' },
  },
});
const [seconds, seed] = [Number(values.seconds), Number(values.seed)];
if (!(seconds > 0) || !Number.isInteger(seed)) throw new Error('--seconds and --seed are numbers');

/** Shares of the time. What does not use its own leaves it to those behind it. */
const kinds = [
  { name: 'faults', title: 'a fault at a file operation of a run', share: 0.3 },
  { name: 'folders', title: 'hostile run folders', share: 0.12 },
  { name: 'pages', title: 'hostile requests and pages', share: 0.06 },
  { name: 'lock', title: 'acquisitions of a lock', share: 0.06 },
  { name: 'results', title: 'reads and writes of a result by two at once', share: 0.06 },
  { name: 'files', title: 'mutated and handmade files', share: 0.4 },
].filter(({ name }) => values.only === undefined || values.only.split(',').includes(name));
if (kinds.length === 0) throw new Error(`--only ${values.only}: name some of the kinds`);

process.env.BULWARK_CONFIG = mkdtempSync(join(tmpdir(), 'bulwark-torture-config-'));
const folder = mkdtempSync(join(tmpdir(), 'bulwark-torture-'));
console.log(`torture: ${seconds} s, seed ${seed}, in ${folder}`);
const end = Date.now() + seconds * 1000;
const reports = [];
for (const [i, { name, title, share }] of kinds.entries()) {
  const left = kinds.slice(i).reduce((sum, kind) => sum + kind.share, 0);
  const mine = Date.now() + ((end - Date.now()) * share) / left;
  const { torture } = await import(`./torture/${name}.mjs`);
  const report = createReport(title);
  await torture({ until: () => mine, seed, folder: join(folder, name), report });
  reports.push({ ...report, attempts: report.attempts, failures: report.failures, seconds: report.seconds });
  for (const failure of report.failures.slice(0, 20)) console.log(`\n${title}: ${failure}`);
}
console.log(`\n${table(reports)}`);
process.exit(reports.every(({ failures, attempts }) => failures.length === 0 && attempts > 0) ? 0 : 1);
