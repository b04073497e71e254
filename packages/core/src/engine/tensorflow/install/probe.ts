import { fileURLToPath } from 'node:url';
import { sep } from 'node:path';
import { BulwarkError } from '../../../errors.js';
import { run } from './run.js';

/** What a trial in a separate process told about a native library. */
export interface Probe {
  readonly version: string;
  readonly gpu: boolean;
}

// From TypeScript sources (tests) the built file is run: a child process has no transpiler.
const childScript = fileURLToPath(new URL('./probe-child.js', import.meta.url)).replace(
  `${sep}src${sep}`,
  `${sep}dist${sep}`,
);

/** Loads the package's library in a child process and lets it compute known values. @throws BulwarkError ENGINE_INSTALL, ENGINE_NUMERICS */
export async function probePackage(folder: string): Promise<Probe> {
  const { code, stdout, tail } = await run(process.execPath, [childScript, folder], { timeoutMs: 120_000 });
  const last = stdout.trim().split('\n').at(-1) ?? '';
  const result = (code === 0 && last.startsWith('{') ? JSON.parse(last) : { failure: tail }) as Probe & {
    failure?: string;
    wrong?: string;
  };
  if (result.failure !== undefined)
    throw new BulwarkError('ENGINE_INSTALL', `the native library in ${folder} does not load: ${result.failure}`, {
      cure: 'start over with `bulwark engine install tensorflow --force`, perhaps with another --from',
    });
  if (result.wrong !== undefined)
    throw new BulwarkError(
      'ENGINE_NUMERICS',
      `the native library in ${folder} loads but computes wrong numbers: ${result.wrong}`,
      {
        cure: 'install another TensorFlow with --from, or use engine: wasm',
      },
    );
  return result;
}
