import type { Plugin, PluginKind } from '../plugins/index.js';
import { attackContract } from './attack.js';
import { averageContract } from './average.js';
import { callbackContract } from './callback.js';
import type { Contract } from './contract.js';
import { dataSourceContract } from './data-source.js';
import { engineContract } from './engine.js';
import { innerOptimizerContract } from './inner-optimizer.js';
import { launcherContract } from './launcher.js';
import { modelContract } from './model.js';
import { objectiveContract } from './objective.js';
import { augmentationContract, optimizerContract, scheduleContract } from './small-parts.js';
import { classificationContract, regularizerContract } from './term-contracts.js';
import { weightPerturberContract } from './weight-perturber.js';

/** The two functions of a test framework (jest, vitest, mocha, node:test) that the suites need. */
export interface TestFramework {
  /** Groups tests. */
  describe(name: string, body: () => void): unknown;
  /** Registers one test. */
  it(name: string, check: () => Promise<void>): unknown;
}

const ofKind = {
  objective: objectiveContract,
  'inner-optimizer': innerOptimizerContract,
  regularizer: regularizerContract,
  classification: classificationContract,
  'weight-perturber': weightPerturberContract,
  data: dataSourceContract,
  augmentation: augmentationContract,
  model: modelContract,
  attack: attackContract,
  optimizer: optimizerContract,
  schedule: scheduleContract,
  average: averageContract,
  engine: engineContract,
  callback: callbackContract,
  launcher: launcherContract,
} as const satisfies { [K in PluginKind]: (plugin: Plugin<K>, options?: never) => Contract[] };

/** Options of the contract of a kind. */
export type ContractOptionsOf<K extends PluginKind> = NonNullable<Parameters<(typeof ofKind)[K]>[1]>;

/** The contract of a plugin of any kind, as named checks: run them yourself, or let `describePlugin` register them. */
export function contractOf<K extends PluginKind>(plugin: Plugin<K>, options?: ContractOptionsOf<K>): Contract[] {
  const make = ofKind[plugin.kind] as unknown as (plugin: Plugin<K>, options?: ContractOptionsOf<K>) => Contract[];
  return make(plugin, options);
}

function frameworkOfGlobals(): TestFramework {
  const { describe, it } = globalThis as unknown as Partial<TestFramework>;
  if (!describe || !it)
    throw new Error(
      'no test framework: call this where describe and it are global, or pass { framework: { describe, it } }',
    );
  return { describe, it };
}

/** Registers the contract of a plugin as a suite of tests. */
export function describePlugin<K extends PluginKind>(
  plugin: Plugin<K>,
  options: ContractOptionsOf<K> & { readonly framework?: TestFramework } = {} as ContractOptionsOf<K>,
): void {
  const { framework = frameworkOfGlobals(), ...rest } = options;
  framework.describe(`the ${plugin.kind} ${plugin.name}`, () => {
    for (const { name, run } of contractOf(plugin, rest as unknown as ContractOptionsOf<K>))
      framework.it(name, () => run());
  });
}

type Describe<K extends PluginKind> = (
  plugin: Plugin<K>,
  options?: ContractOptionsOf<K> & { readonly framework?: TestFramework },
) => void;

/** Registers the contract of an objective: crafting, terms, steps, resume. */
export const describeObjective: Describe<'objective'> = describePlugin;
/** Registers the contract of an inner optimizer. */
export const describeInnerOptimizer: Describe<'inner-optimizer'> = describePlugin;
/** Registers the contract of a regularizer. */
export const describeRegularizer: Describe<'regularizer'> = describePlugin;
/** Registers the contract of a classification term. */
export const describeClassification: Describe<'classification'> = describePlugin;
/** Registers the contract of a weight perturber. */
export const describeWeightPerturber: Describe<'weight-perturber'> = describePlugin;
/** Registers the contract of a data source. */
export const describeDataSource: Describe<'data'> = describePlugin;
/** Registers the contract of an augmentation. */
export const describeAugmentation: Describe<'augmentation'> = describePlugin;
/** Registers the contract of a model. */
export const describeModel: Describe<'model'> = describePlugin;
/** Registers the contract of an evaluation attack. */
export const describeAttack: Describe<'attack'> = describePlugin;
/** Registers the contract of an optimizer. */
export const describeOptimizer: Describe<'optimizer'> = describePlugin;
/** Registers the contract of a learning-rate schedule. */
export const describeSchedule: Describe<'schedule'> = describePlugin;
/** Registers the contract of a weight average. */
export const describeAverage: Describe<'average'> = describePlugin;
/** Registers the contract of an engine. */
export const describeEngine: Describe<'engine'> = describePlugin;
/** Registers the contract of a callback. */
export const describeCallback: Describe<'callback'> = describePlugin;
/** Registers the contract of a launcher. */
export const describeLauncher: Describe<'launcher'> = describePlugin;
