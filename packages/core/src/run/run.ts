import { BulwarkError } from '../errors.js';
import { useEngine, type EngineChoice } from '../engine/index.js';
import type { PluginRegistry, PluginServices } from '../plugins/index.js';
import { train, type Snapshot, type TrainerBus, type TrainingResult } from '../trainer/index.js';
import { checkConfig } from './check-config.js';
import { compose, type ComposedRun } from './compose.js';
import type { RunConfig } from './config.js';
import { loadPlugins, type ImportModule } from './load-plugins.js';
import { createRunFolder, openRunFolder, type RunFolder } from './run-folder.js';
import { firstExamples, validate } from './validate.js';
import { versions } from './versions.js';

/** A composed run with its folder, ready to train. */
export interface RunHandle {
  readonly config: RunConfig;
  readonly folder: RunFolder;
  readonly engine: EngineChoice;
  readonly bus: TrainerBus;
  /** Model, data, objective and the rest, for whoever works with them after training. */
  readonly parts: ComposedRun['parts'];
  /** What plugins of this run get injected. */
  readonly services: PluginServices;
  /** Trains to the end, or until the signal is aborted (then the state is saved). */
  train(signal?: AbortSignal): Promise<TrainingResult>;
  /** Frees the model and the optimizer. */
  dispose(): void;
}

export interface RunServices {
  /** Plugins that configs may name; a run's own plugins go into a child. */
  readonly registry: PluginRegistry;
  readonly importModule?: ImportModule;
  readonly warn?: (message: string) => void;
}

/** Plugins loaded and config checked, before any data is read. */
export async function checkRun(
  input: unknown,
  services: RunServices & { baseFolder: string },
): Promise<{ config: RunConfig; registry: PluginRegistry }> {
  const registry = services.registry.child();
  const named = (input as { plugins?: unknown } | null)?.plugins;
  if (Array.isArray(named) && named.every((name) => typeof name === 'string')) await loadPlugins(named, { ...services, registry });
  return { config: checkConfig(input, registry), registry };
}

/** Checks, composes and creates the folder of a new run. */
export async function startRun(
  input: unknown,
  services: RunServices & { baseFolder: string; folder: (name: string) => string },
): Promise<RunHandle> {
  const { config, registry } = await checkRun(input, services);
  const engine = await useEngine(config.engine);
  return assemble({ config, registry, engine, services, open: () => {
    const frozen = { config: { ...config, engine: engine.name }, baseFolder: services.baseFolder, versions: versions(), engine: engine.name };
    return createRunFolder(services.folder(config.name), frozen);
  } });
}

/** Continues a run from its last good checkpoint. */
export async function resumeRun(path: string, services: RunServices): Promise<RunHandle> {
  const folder = openRunFolder(path);
  const { baseFolder, config: frozen } = folder.frozen;
  const { config, registry } = await checkRun(frozen, { ...services, baseFolder });
  const engine = await useEngine(config.engine);
  const resumeFrom = folder.checkpoints.has('last') ? folder.checkpoints.load('last') : undefined;
  return assemble({ config, registry, engine, services: { ...services, baseFolder }, open: () => folder, resumeFrom });
}

/** Label of the validation accuracy that chooses the best checkpoint. */
function selection(config: RunConfig, labels: readonly string[]): string | undefined {
  const wanted = config.evaluation.selectBest;
  if (wanted === undefined) return labels.at(-1);
  const found = labels.find((label) => label === wanted) ?? labels.find((label) => label.startsWith(`${wanted}-`));
  if (found === undefined)
    throw new BulwarkError('CONFIG_INVALID', `evaluation.selectBest is ${JSON.stringify(wanted)}; validation measures ${labels.join(', ')}`, {
      cure: 'name one of these, or add the attack to evaluation.attacks',
    });
  return found;
}

async function assemble(options: {
  config: RunConfig;
  registry: PluginRegistry;
  engine: EngineChoice;
  services: RunServices & { baseFolder: string };
  /** Creates or opens the folder; last, so that a config that cannot be composed leaves no folder behind. */
  open: () => RunFolder;
  resumeFrom?: Snapshot;
}): Promise<RunHandle> {
  const { config, registry, engine, services, resumeFrom } = options;
  const { parts, attacks, services: injected } = await compose(config, { registry, baseFolder: services.baseFolder, warn: services.warn });
  const { model, data, bus, optimizer, threat } = parts;
  const { evaluation } = config;
  const set = data.validation && firstExamples(data.validation, evaluation.examples);
  const selectBest = set && selection(config, ['clean', ...attacks.map(({ label }) => label)]);
  const folder = options.open();

  const history = [...(resumeFrom?.state.history ?? [])];
  bus.on('epoch:end', ({ metrics, seconds, examples }) => {
    history.push(metrics);
    folder.writeMetrics(history);
    folder.addTiming({ epoch: metrics.epoch, seconds, imagesPerSecond: examples / seconds });
  });

  return {
    config,
    folder,
    engine,
    bus,
    parts,
    services: injected,
    async train(signal) {
      folder.writeMetrics(history);
      const result = await train(
        {
          ...parts,
          store: folder.checkpoints,
          validate:
            set &&
            (() =>
              validate({
                model,
                set,
                attacks,
                threat,
                batchSize: evaluation.batchSize,
                seed: config.seed,
                progress: (event) => bus.emit('validation:progress', event),
              })),
        },
        {
          seed: config.seed,
          epochs: config.epochs,
          batchSize: config.data.batchSize,
          validateEvery: evaluation.every,
          selectBest,
          checkpointSeconds: config.checkpoint.minutes * 60,
        },
        { signal, resumeFrom },
      );
      if (result.reason === 'finished')
        folder.writeSummary({ name: config.name, engine: engine.name, best: result.best, last: result.history.at(-1) });
      return result;
    },
    dispose() {
      model.dispose();
      optimizer.dispose();
    },
  };
}
