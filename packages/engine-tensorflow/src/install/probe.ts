import { probeInChild } from '@bulwark/core/install';

/** What a trial in a separate process told about a native library. */
export interface Probe {
  readonly version: string;
  readonly gpu: boolean;
}

/** Loads the package's library in a child process and lets it compute known values. @throws BulwarkError ENGINE_INSTALL, ENGINE_NUMERICS */
export const probePackage = (folder: string): Promise<Probe> =>
  probeInChild(new URL('./probe-child.js', import.meta.url), [folder], {
    what: `the native library in ${folder}`,
    failed: 'start over with `bulwark engine install tensorflow --force`, perhaps with another --from',
    wrong: 'install another TensorFlow with --from, or use engine: wasm',
  });
