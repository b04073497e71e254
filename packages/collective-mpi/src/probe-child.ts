import { loadAddon } from './native.js';

const native = loadAddon(process.argv[2]!);
const [rank, size, library] = native.start(60);
const fail = (what: string): void => {
  process.stderr.write(`${what}\n`);
  native.abort(1);
};
if (size !== 2) fail(`MPI sees ${size} processes where there are 2`);
// both ways of adding up: in one round, and by shares
for (const count of [5, 100_001]) {
  const values = Float32Array.from({ length: count }, (_, i) => (i % 7) * (rank + 1));
  if (!native.allReduce(values, 30)) fail('the other process does not answer');
  if (values.some((value, i) => value !== (i % 7) * 3)) fail(`sums of ${count} numbers are wrong`);
}
if (rank === 0) process.stdout.write(`${JSON.stringify({ mpi: library.split(/[,\n\0]/)[0]!.trim() })}\n`);
native.stop();
