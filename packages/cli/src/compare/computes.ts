import type { RunConfig } from '@bulwark/core';

/** Say how a run is called or looked after, not what it computes. */
const aside = ['seed', 'name', '$schema', 'extends', 'guard', 'checkpoint', 'callbacks'];

/** What a run computes, its seed aside: equal for runs that differ in nothing but their seed. */
export const computesOf = (config: RunConfig): Record<string, unknown> =>
  Object.fromEntries(Object.entries(config).filter(([key]) => !aside.includes(key)));
