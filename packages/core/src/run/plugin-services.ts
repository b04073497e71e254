import type { ImageShape } from '../batch.js';
import type { PluginKind, PluginProducts, PluginRegistry, PluginServices, PluginSpec } from '../plugins/index.js';
import { blankRandom, createRandom, type Random } from '../random.js';
import { doubtOfStep, norms, refuseBytes, type ThreatModel } from '../threat/index.js';
import { lengthsOf } from './config-lengths.js';
import type { RunConfig } from './config.js';
import { withDerivedSteps } from './schema-walk.js';

/** What composing needs besides the config. */
export interface ComposeOptions {
  readonly registry: PluginRegistry;
  /** Folder that relative paths in the config refer to. */
  readonly baseFolder: string;
  /** Tells the user something. */
  readonly warn?: (message: string) => void;
  /** True if the model's weights are replaced afterwards: none are drawn or read. */
  readonly weightsFollow?: boolean;
  /** True if only costs are wanted: data that are not there may be replaced by images that mean nothing. */
  readonly standIns?: boolean;
}

/** The threat model that a config names. */
export const threatOf = (config: Pick<RunConfig, 'threat'>): ThreatModel => ({
  norm: norms[config.threat.norm],
  epsilon: config.threat.epsilon,
});

/** What plugins are told of the data, once they are there. */
interface DataFacts {
  readonly inputShape: ImageShape;
  readonly classNames: readonly string[];
}

/** Purpose of the generator of a run's own model, and of all models besides: its weights may follow, theirs do not. */
const drawn = { own: 'initialisation', further: 'initialisation of further models' } as const;

/** What plugins of a run get injected. Generators are made once per purpose. */
export function createServices(
  config: RunConfig,
  options: ComposeOptions & { facts?: DataFacts; warn: (message: string) => void; models?: keyof typeof drawn },
): PluginServices {
  const { registry, baseFolder, facts, warn, models = 'own', standIns = false } = options;
  const weightsFollow = models === 'own' && (options.weightsFollow ?? false);
  const generators = new Map<string, Random>();
  const said = new Set<string>();
  const warnOnce = (text: string | undefined) => {
    if (text !== undefined && !said.has(text)) warn(text);
    if (text !== undefined) said.add(text);
  };
  const unknown = (what: string): never => {
    throw new Error(`${what} is not known while data sources are made`);
  };
  const services: PluginServices = {
    threat: threatOf(config),
    baseFolder,
    warn,
    weightsFollow,
    standIns,
    get inputShape() {
      return facts?.inputShape ?? unknown('inputShape');
    },
    get classNames() {
      return facts?.classNames ?? unknown('classNames');
    },
    random(asked) {
      const purpose = asked === 'initialisation' ? drawn[models] : asked;
      if (weightsFollow && purpose === drawn.own) return blankRandom;
      if (!generators.has(purpose)) generators.set(purpose, createRandom(config.seed, purpose));
      return generators.get(purpose)!;
    },
    make<K extends PluginKind>(kind: K, spec: PluginSpec): PluginProducts[K] {
      const { use, ...given } = spec;
      const plugin = registry.find(kind, use);
      const checked = plugin.options.parse(withDerivedSteps(plugin.options, given, services.threat)) as typeof given;
      for (const length of lengthsOf(plugin.options, checked, use)) {
        const { norm = config.threat.norm } = length;
        refuseBytes(length, { norm, shape: facts?.inputShape });
        // what has a norm of its own has a radius of its own, too
        if (length.norm === undefined) warnOnce(doubtOfStep(length, services.threat));
      }
      return plugin.create(checked, services) as PluginProducts[K];
    },
  };
  return services;
}
