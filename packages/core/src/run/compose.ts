import { countOf, type ImageShape } from '../batch.js';
import { BulwarkError } from '../errors.js';
import type { Classifier } from '../classifier/index.js';
import { checkNorm } from '../evaluation/index.js';
import {
  checkObjective,
  permutationSampler,
  type Attack,
  type DataSource,
  type WeightAverage,
} from '../hooks/index.js';
import type { PluginRegistry, PluginServices } from '../plugins/index.js';
import { doubtOfRadius, refuseBytes, type ThreatModel } from '../threat/index.js';
import {
  checkSecondOrder,
  checkSynchronised,
  createBus,
  type NamedCallback,
  type TrainerParts,
} from '../trainer/index.js';
import { checkFeatures } from './check-features.js';
import type { RunConfig } from './config.js';
import { examineConfig, findingText } from './examine-config.js';
import { doubtsOfParts } from './examine-parts.js';
import { checkSupervision, makeData } from './make-data.js';
import { pluginPart } from './plugin-part.js';
import { createServices, type ComposeOptions } from './plugin-services.js';

/** The parts of a run, made from a checked config. */
export interface ComposedRun {
  readonly config: RunConfig;
  readonly parts: Omit<TrainerParts, 'validate' | 'store'>;
  /** Attacks of the validation. */
  readonly attacks: readonly Attack[];
  /** Threat models that are measured besides that of training, with the same attacks made for them. */
  readonly further: readonly { readonly threat: ThreatModel; readonly attacks: readonly Attack[] }[];
  /** Who looks on, in order. */
  readonly callbacks: readonly NamedCallback[];
  readonly services: PluginServices;
  readonly registry: PluginRegistry;
}

/** tsyringe tokens of a run's own container, for trainer-side services of plugins that ask for them. */
export const runTokens = {
  config: 'bulwark:config',
  threat: 'bulwark:threat',
  bus: 'bulwark:bus',
  model: 'bulwark:model',
  data: 'bulwark:data',
} as const;

/** Makes only data and model: what evaluating or exporting a run needs, which then says `weightsFollow`. */
export async function composeModel(
  config: RunConfig,
  options: ComposeOptions,
): Promise<{ data: DataSource; model: Classifier; services: PluginServices }> {
  const warn = options.warn ?? (() => undefined);
  const data = await makeData(config, createServices(config, { ...options, warn }));
  checkRadii(config, data.shape, warn);
  const facts = { inputShape: data.shape, classNames: data.classNames };
  const model = await makeModel(config, createServices(config, { ...options, warn, facts }));
  // a teacher, a companion, a model that an attack goes by: nothing but their own files has their weights
  return { data, model, services: createServices(config, { ...options, warn, facts, models: 'further' }) };
}

/** Refuses radii that no two images of this shape are apart, and doubts those that are written in values of 0 to 255. */
function checkRadii({ threat, evaluation }: RunConfig, shape: ImageShape, warn: (message: string) => void): void {
  const { threats = [] } = evaluation;
  const named = [{ name: 'threat.epsilon', ...threat }];
  threats.forEach((each, i) => named.push({ name: `evaluation.threats[${i}].epsilon`, ...each }));
  for (const { name, norm, epsilon } of named) {
    const radius = { name, value: epsilon };
    refuseBytes(radius, { norm, shape });
    const doubt = doubtOfRadius(radius, { norm, shape });
    if (doubt !== undefined) warn(doubt);
  }
}

/** The model; one whose plugin does not say what it was made with gets the config's section as its architecture. */
async function makeModel(config: RunConfig, services: PluginServices): Promise<Classifier> {
  const model = await services.make('model', config.model);
  return 'architecture' in model || !Object.isExtensible(model)
    ? model
    : Object.assign(model, { architecture: config.model });
}

/** The average of the weights that the config asks for. @throws BulwarkError CONFIG_INVALID where it has nothing to be made of */
function averageOf(
  config: RunConfig,
  { data, model, objective }: Pick<TrainerParts, 'data' | 'model' | 'objective'>,
  services: PluginServices,
): WeightAverage | undefined {
  const { averaging, epochs } = config;
  if (!averaging) return undefined;
  const { batchSize } = config.data;
  const sampler = data.sampler?.({ batchSize }) ?? permutationSampler(countOf(data.train), { batchSize });
  const steps = epochs * (objective.replays ?? 1) * sampler.batchesPerEpoch;
  const average = services.make('average', averaging)({ model, steps, epochs });
  if (average.needsValidation && !data.validation)
    throw new BulwarkError(
      'CONFIG_INVALID',
      `averaging: ${averaging.use} looks at held-out images, and ${data.name} holds out none`,
      { hint: 'set data.validation' },
    );
  return average;
}

/**
 * The composition root: one child container per run, in which the run's plugins and services live. The config must have come through
 * `checkConfig`.
 */
export async function compose(config: RunConfig, options: ComposeOptions): Promise<ComposedRun> {
  const { data, model, services } = await composeModel(config, options);
  for (const found of examineConfig(config, options.registry))
    if (found.kind === 'doubt') services.warn(`${findingText(found)}; ${found.hint}`);
  checkSupervision(data, services.warn);
  if (countOf(data.test) === 0 && config.evaluation.final === 'test')
    services.warn(
      `${data.name} has no test images with a label: no accuracy is measured at the end; evaluation.final: validation takes those held out`,
    );
  const { container } = options.registry;
  const bus = createBus();
  const objective = checkObjective(services.make('objective', config.objective), `objective ${config.objective.use}`);
  checkSecondOrder(model, objective);
  checkFeatures(model, objective);
  if (config.batchNorm.use === 'synchronised')
    checkSynchronised({ model, objective, accumulate: config.data.accumulate });
  const parts = {
    model,
    data,
    objective,
    weightPerturber: config.weightPerturber && services.make('weight-perturber', config.weightPerturber),
    optimizer: services.make('optimizer', pluginPart('optimizer', config)),
    schedule: services.make('schedule', config.optimizer.schedule),
    average: averageOf(config, { data, model, objective }, services),
    augmentations: config.data.augment.map((spec) => services.make('augmentation', spec)),
    threat: services.threat,
    bus,
  };
  const values = { config, threat: services.threat, bus, model, data };
  for (const [name, token] of Object.entries(runTokens))
    container.register(token, { useValue: values[name as keyof typeof values] });
  for (const doubt of doubtsOfParts(config, parts)) services.warn(doubt);
  const attacksOf = (own: PluginServices) =>
    config.evaluation.attacks.map((spec) => {
      const asked = own.make('attack', spec);
      const attack = asked.forClasses?.(model.classes) ?? asked;
      if (attack !== asked)
        services.warn(
          `evaluation: ${asked.label} needs more than the ${model.classes} classes of the model; ${attack.label} is run instead`,
        );
      return attack;
    });
  const attacks = attacksOf(services);
  const facts = { inputShape: data.shape, classNames: data.classNames };
  const apart = createServices(config, { ...options, warn: services.warn, facts, models: 'further' });
  const further = (config.evaluation.threats ?? []).map((each) => {
    const own = createServices(
      { ...config, threat: each },
      { ...options, warn: services.warn, facts, models: 'further' },
    );
    const made = { threat: own.threat, attacks: attacksOf(own) };
    made.attacks.forEach((attack) => checkNorm(attack, made.threat));
    return made;
  });
  return {
    config,
    parts,
    attacks,
    further,
    callbacks: makeCallbacks(config, apart),
    services,
    registry: options.registry,
  };
}

/** The callbacks, with services of their own: what they draw from a generator, the run does not miss. */
function makeCallbacks(config: RunConfig, services: PluginServices): NamedCallback[] {
  return config.callbacks.map((spec, at) => ({
    name: `callbacks[${at}] (${spec.use})`,
    callback: services.make('callback', spec),
  }));
}
