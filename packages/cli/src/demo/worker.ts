import { useEngine } from '@bulwark/core';
import { demoMethods, type DemoMethod } from './configs.js';
import { runDemoMethod, type DemoMessage } from './run-method.js';

/** Entry of a demo process: `worker.js <method> <seed> <folder>`. */
const [method, seed, folder] = process.argv.slice(2) as [DemoMethod, string, string];
// the cores are divided anew when other runs begin and end
process.on('message', ({ threads }: { threads: number }) => void useEngine({ use: 'wasm', threads }));
const tell = (message: DemoMessage) => void process.send!(message);

if (!demoMethods.includes(method)) throw new Error(`unknown method ${method}`);
await runDemoMethod(method, { seed: Number(seed), folder, tell }).catch((error: Error) => {
  tell({ kind: 'failed', message: error.message });
  process.exitCode = 1;
});
process.disconnect();
