import logUpdate from 'log-update';
import { duration, percent, type Output } from '../terminal/output.js';
import { demoMethods, type DemoMethod } from './configs.js';
import { demoProcesses } from './processes.js';
import type { DemoResult } from './run-method.js';

/** Runs the methods of the demo, so many at a time, and shows how they get on. */
export async function runAll(
  methods: readonly DemoMethod[],
  { seed, jobs, folder, output }: { seed: string; jobs: number; folder: string; output: Output },
): Promise<DemoResult[]> {
  // the costliest first, so that the processes end together
  const waiting = [...methods].sort((a, b) => demoMethods.indexOf(b) - demoMethods.indexOf(a));
  const results = new Map<DemoMethod, DemoResult>();
  const shares = new Map<DemoMethod, number>();
  const show = process.stdout.isTTY && !output.json;
  const draw = () => {
    if (show)
      logUpdate([...shares].map(([method, share]) => `${method.padEnd(8)} ${percent(share).padStart(6)}%`).join('   '));
  };
  const processes = demoProcesses({ seed, folder });
  const work = async () => {
    for (let method = waiting.shift(); method; method = waiting.shift()) {
      const name = method;
      results.set(
        name,
        await processes.run(name, (message) => {
          if (message.kind === 'step') shares.set(name, message.done / message.total);
          if (message.kind === 'epoch') {
            if (show) logUpdate.clear();
            const { epoch, loss } = message.metrics;
            output.line(`${name.padEnd(8)} epoch ${epoch}  loss ${loss.toFixed(4)}  ${duration(message.seconds)}`);
          }
          draw();
        }),
      );
      shares.delete(name);
    }
  };
  await Promise.all(Array.from({ length: Math.min(jobs, methods.length) }, work));
  if (show) logUpdate.clear();
  return methods.map((method) => results.get(method)!);
}
