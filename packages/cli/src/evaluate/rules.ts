import type { FlagRule } from '../terminal/flag-rules.js';

/** Flags of `bulwark evaluate`, and options of the program function, that mean nothing together. */
export const evaluateRules: readonly FlagRule[] = [
  { flags: ['shard'], excludes: ['shards', 'merge'] },
  { flags: ['merge'], excludes: ['shards'] },
  { flags: ['robustbench'], excludes: ['shard', 'epsilons', 'threats'] },
  { flags: ['transfer-from'], excludes: ['merge'] },
  {
    flags: ['corruptions'],
    excludes: 'attacks tier norm epsilon epsilons threats seed shard shards merge robustbench transfer-from'.split(' '),
  },
  { flags: ['fresh'], excludes: ['shards', 'merge'] },
  { flags: ['epsilons'], excludes: ['epsilon', 'threats', 'out', 'shards'] },
  { flags: ['threats'], excludes: ['norm', 'epsilon', 'out', 'shards', 'zoo'] },
];
