import { describe, expect, it } from '@jest/globals';
import { enginesOf } from '@bulwark/core/plugins';
import { builtinRegistry } from '../registry.js';
import { reportedCores, trainOneStep } from './cores-testing.js';

const engines = enginesOf(builtinRegistry());
const available = await Promise.all(engines.map(async (engine) => (await engine.probe()).available));
const cases = engines.flatMap((engine, at) => reportedCores.map((cores) => [engine, cores, available[at]!] as const));

describe('a step of training on default settings, whatever number of cores Node reports', () => {
  for (const [engine, cores, here] of cases)
    (here ? it : it.skip)(`ends on ${engine.name} with ${cores}`, () => {
      expect(trainOneStep(engine, cores)).toContain('"loss"');
    });
});
