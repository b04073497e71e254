import type { Plugin } from '../plugins/index.js';
import { contracts, type Contract } from './contract.js';
import { craftChecks } from './craft.js';
import { engineOf, makePlugin, type ContractOptions } from './fixture.js';
import { definitionContract } from './plugin-contract.js';

/** What an inner optimizer is tried with. */
export interface InnerOptimizerContractOptions extends ContractOptions {
  /** Its attack runs in `train` mode, and so moves the running statistics: the method says so. */
  readonly updatesStatistics?: boolean;
}

/** What an inner optimizer promises: points in the ball, made off the tape from the given generator, nothing else touched. */
export function innerOptimizerContract(
  plugin: Plugin<'inner-optimizer'>,
  options: InnerOptimizerContractOptions = {},
): Contract[] {
  return [
    ...definitionContract(plugin as unknown as Plugin, options),
    ...contracts(
      engineOf(options),
      craftChecks(() => makePlugin(plugin, options), options),
    ),
  ];
}
