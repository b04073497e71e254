import { isObject } from './golden.js';
import type { CaseRunner } from './types.js';

/** Small cases of single functions, `id` = `unit-...`. */
export const unitCases: CaseRunner = {
  kind: 'unit',
  matches: (json) => isObject(json) && String(json['id']).startsWith('unit-'),
  run: async () => [],
};
