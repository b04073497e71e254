// Compares the last checkpoints of two run folders, tensor by tensor: node scripts/compare-runs.mjs RUN RUN [most].
// Ends with 1 if a number differs by more than `most` (default 1e-5), or the runs do not hold the same tensors.
import { openRunFolder } from '@bulwark/core/run';

const [first, second, most = '1e-5'] = process.argv.slice(2);
const [a, b] = [first, second].map((path) => openRunFolder(path).checkpoints.load('last').tensors);
let worst = { name: 'nothing', by: 0 };
for (const name of new Set([...a.keys(), ...b.keys()])) {
  const [x, y] = [a.get(name)?.data, b.get(name)?.data];
  const by = x?.length === y?.length ? x.reduce((found, value, i) => Math.max(found, Math.abs(value - y[i])), 0) : NaN;
  // NaN is larger than anything
  if (!(by <= worst.by)) worst = { name, by };
}
console.log(`${a.size} tensors; the largest difference is ${worst.by} (${worst.name})`);
process.exitCode = worst.by <= Number(most) ? 0 : 1;
