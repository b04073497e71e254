/**
 * The conformance kit: what every plugin of a kind promises, as named checks.
 * @module @bulwark/core/testing
 */
export { sharedRanks, threadCollective, type SharedRanks } from '../collective/threads.js';
export { attackContract, type AttackContractOptions } from './attack.js';
export { callbackContract } from './callback.js';
export { ContractBroken, type Contract } from './contract.js';
export { dataSourceContract } from './data-source.js';
export {
  contractOf,
  describeAttack,
  describeAugmentation,
  describeCallback,
  describeClassification,
  describeDataSource,
  describeEngine,
  describeInnerOptimizer,
  describeLauncher,
  describeModel,
  describeObjective,
  describeOptimizer,
  describePlugin,
  describeRegularizer,
  describeAverage,
  describeSchedule,
  describeWeightPerturber,
  type ContractOptionsOf,
  type TestFramework,
} from './describe.js';
export { engineContract } from './engine.js';
export { craftContext, fixtureBatch, fixtureNetwork, makePlugin, type ContractOptions } from './fixture.js';
export { goldenRandom, readGolden, toyClassifier, toyImages, type GoldenTensor, type ToyModel } from './golden.js';
export * from './attack-parts.js';
export { innerOptimizerContract, type InnerOptimizerContractOptions } from './inner-optimizer.js';
export { launcherContract, type LauncherContractOptions } from './launcher.js';
export { modelContract } from './model.js';
export { objectiveContract, session, type ObjectiveContractOptions, type Session } from './objective.js';
export { definitionContract } from './plugin-contract.js';
export { averageContract } from './average.js';
export { augmentationContract, optimizerContract, scheduleContract } from './small-parts.js';
export { classificationContract, regularizerContract, type TermContractOptions } from './term-contracts.js';
export { weightPerturberContract } from './weight-perturber.js';
