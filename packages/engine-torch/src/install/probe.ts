import { probeInChild } from '@bulwark/core/install';

/** What a trial in a separate process told about an addon. */
export interface Probe {
  readonly torch: string;
  /** The GPU on which it computed rightly, or why it used none. */
  readonly gpu: string;
}

/** Loads an addon in a child process and lets it compute known values. @throws BulwarkError ENGINE_INSTALL, ENGINE_NUMERICS */
export const probeAddon = (file: string): Promise<Probe> =>
  probeInChild(new URL('./probe-child.js', import.meta.url), [file], {
    what: `the addon ${file}`,
    failed: 'start over with `bulwark engine install torch --force`, perhaps with another --python or with --pip',
    wrong: 'build against another PyTorch with --python or --pip, or use another engine',
  });
