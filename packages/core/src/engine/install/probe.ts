import { fileURLToPath } from 'node:url';
import { sep } from 'node:path';
import { BulwarkError } from '../../errors.js';
import { run } from './run.js';

/** What a child process says of a native library: that it does not load, that it is wrong, or what it is. */
export type ProbeReport<Facts> = { readonly failure: string } | { readonly wrong: string } | Facts;

/** What `probeInChild` says where the library is of no use. */
export interface ProbeHints {
  /** The library, for messages. */
  readonly what: string;
  readonly failed: string;
  readonly wrong: string;
}

const mark = 'BULWARK-REPORT';

/** Prints a report as `probeInChild` reads it. */
export function printReport<Facts extends object>(examine: () => ProbeReport<Facts>): void {
  let report: ProbeReport<Facts>;
  try {
    report = examine();
  } catch (error) {
    report = { failure: error instanceof Error ? error.message : String(error) };
  }
  process.stdout.write(`\n${mark}${JSON.stringify(report)}\n`);
}

/**
 * Lets a script load a native library and compute known values with it, in a process of its own: a library that crashes takes only that
 * along.
 * @param script a built file, `new URL('./probe-child.js', import.meta.url)`, that calls `printReport`
 * @throws BulwarkError ENGINE_INSTALL, ENGINE_NUMERICS
 */
export async function probeInChild<Facts>(script: URL, args: readonly string[], hints: ProbeHints): Promise<Facts> {
  // From TypeScript sources (tests) the built file is run: a child process has no transpiler.
  const file = fileURLToPath(script).replace(`${sep}src${sep}`, `${sep}dist${sep}`);
  const { code, stdout, tail } = await run(process.execPath, [file, ...args], { timeoutMs: 120_000 });
  // a library may print, too, even while the process ends
  const said = stdout.split('\n').findLast((line) => line.startsWith(mark));
  const report = (code === 0 && said !== undefined ? JSON.parse(said.slice(mark.length)) : { failure: tail }) as {
    failure?: string;
    wrong?: string;
  };
  if (report.failure !== undefined)
    throw new BulwarkError('ENGINE_INSTALL', `${hints.what} does not load: ${report.failure}`, { hint: hints.failed });
  if (report.wrong !== undefined)
    throw new BulwarkError('ENGINE_NUMERICS', `${hints.what} loads but computes wrong numbers: ${report.wrong}`, {
      hint: hints.wrong,
    });
  return report as Facts;
}
