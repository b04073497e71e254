import { defineEngine, type Engine } from '@bulwark/core';
import { unavailable } from '@bulwark/core/engine';
import { z } from 'zod';
import { installPackage } from './install-package.js';
import { enginePackages, type EnginePackage } from './packages.js';

/**
 * Stands for an engine whose package is not there: it can be named in configs with any options, says why it does not work, and installs the
 * package. `auto` comes to it first, is refused at once, and so can tell how to get it.
 */
function absentEngine({ name, spec, fault }: EnginePackage): Engine {
  const [summary, reason] =
    fault === undefined
      ? [`Comes with the package ${spec}, which is not installed.`, `the package ${spec} is not installed`]
      : [`Comes with the package ${spec}, which does not load.`, `the package ${spec} does not load: ${fault}`];
  const refusals = [{ candidate: name, reason }];
  const hint = `run \`bulwark engine install ${name}\`, or use engine: auto`;
  const engine = defineEngine({
    name,
    summary,
    rank: Number.POSITIVE_INFINITY,
    probe: async () => ({ available: false, refusals, hint }),
    start: () => Promise.reject(unavailable(name, refusals, hint)),
    installer: {
      install: (_options, context) => installPackage({ name, spec }, context),
      installed: () => [],
      remove: async () => [],
    },
  });
  return Object.freeze({ ...engine, options: z.looseObject({}) as unknown as Engine['options'] });
}

/** The engines of all packages, with stand-ins for those that are not there. */
export const packagedEngines: readonly Engine[] = enginePackages.flatMap(
  (each) => each.engines ?? [absentEngine(each)],
);

/** The package that an engine waits for; undefined if it is there. */
export const packageOf = (engine: Engine): EnginePackage | undefined =>
  enginePackages.find(({ name, engines }) => name === engine.name && !engines);
