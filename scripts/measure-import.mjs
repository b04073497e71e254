// What importing the packages costs: values that each door exports, and time beyond Node's own start (median of 9 pairs of processes).
//   npm run build && node scripts/measure-import.mjs [--runs 9] [--json] [--names]
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const root = fileURLToPath(new URL('..', import.meta.url));
const { values: flags } = parseArgs({
  options: {
    runs: { type: 'string', default: '9' },
    json: { type: 'boolean', default: false },
    /** Counts only, without any time. */
    names: { type: 'boolean', default: false },
  },
});

/** All that programs can import: `@bulwark/core`, `@bulwark/core/network`, ... */
const doors = readdirSync(`${root}packages`).flatMap((folder) => {
  const { name, exports } = JSON.parse(readFileSync(`${root}packages/${folder}/package.json`, 'utf8'));
  return Object.keys(exports).map((entry) => name + entry.slice(1));
});

/** Milliseconds of a process that runs a module and ends. */
function time(code) {
  const began = process.hrtime.bigint();
  const { status, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', code], {
    cwd: `${root}packages/cli`,
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(stderr);
  return Number(process.hrtime.bigint() - began) / 1e6;
}

/** Median of the differences of pairs, so that a busy machine slows both. */
function beyondNode(door) {
  const differences = Array.from({ length: Number(flags.runs) }, () => {
    const bare = time('');
    return time(`import ${JSON.stringify(door)};`) - bare;
  });
  return differences.sort((a, b) => a - b)[Math.floor(differences.length / 2)];
}

const measured = [];
for (const door of doors) {
  const values = Object.keys(await import(door)).length;
  measured.push({ door, values, ...(!flags.names && { milliseconds: Math.round(beyondNode(door)) }) });
}
if (flags.json) console.log(JSON.stringify(measured, null, 2));
else
  for (const { door, values, milliseconds } of measured)
    console.log(
      `${door.padEnd(32)} ${String(values).padStart(4)} values` +
        (milliseconds === undefined ? '' : `, ${milliseconds} ms beyond Node`),
    );
