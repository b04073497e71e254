import * as tf from '../tensor/index.js';
import type { Batch, ImageShape } from '../batch.js';
import { logitsOf, createNetwork, type Classifier, type Network } from '../classifier/index.js';
import { networkGraph } from '../network/index.js';
import type { CraftContext } from '../hooks/index.js';
import {
  createRegistry,
  type Plugin,
  type PluginKind,
  type PluginProducts,
  type PluginServices,
  type PluginSpec,
} from '../plugins/index.js';
import { createRandom } from '../random.js';
import { checkSpec } from '../run/check-spec.js';
import { corePlugins } from '../run/builtin-plugins.js';
import { norms, type ThreatModel } from '../threat/index.js';

/** What every contract needs to know about the plugin under test. */
export interface ContractOptions {
  /** Options of the plugin, as a config would have them; default: its own defaults. */
  readonly options?: Readonly<Record<string, unknown>>;
  /** Options that must be refused when a config is composed. */
  readonly refused?: readonly Readonly<Record<string, unknown>>[];
  /** Other plugins that it asks for by name. */
  readonly plugins?: readonly Plugin[];
  /** Default: linf, 8/255. */
  readonly threat?: ThreatModel;
  /** Shape of the data's images, for models that need larger ones; default: 8x8x1. */
  readonly imageShape?: ImageShape;
  /** Folder that relative paths among the options refer to; default: the working folder. */
  readonly baseFolder?: string;
  /** Default: wasm. */
  readonly engine?: string;
}

export const engineOf = ({ engine = 'wasm' }: ContractOptions): string => engine;

export const threatOf = ({ threat = { norm: norms.linf, epsilon: 8 / 255 } }: ContractOptions): ThreatModel => threat;

/** Images of the fixture. */
export const imageShape: ImageShape = [8, 8, 1];

/** Classes of the fixture: enough for every attack loss. */
export const classes = 5;

/** A small network with BatchNorm, the same weights every time, its running statistics away from their start. */
export function fixtureNetwork(): Network {
  const graph = networkGraph([...imageShape], (g) => {
    const x = g.relu(g.batchNorm('bn', g.conv('conv', g.input, { filters: 4, kernel: 3, stride: 2 })));
    return g.linear('fc', g.flatten(x), { units: classes });
  });
  const network = createNetwork(graph, { name: 'fixture', random: createRandom(3, 'initialisation') });
  const seen = createRandom(4, 'images').uniform<tf.Rank.R4>([16, ...imageShape]);
  for (let i = 0; i < 5; i++) logitsOf(network, seen, 'train').dispose();
  seen.dispose();
  return network;
}

/** Images in [0, 1], some pixels at the ends of the range, with these labels. */
export function fixtureBatch(labels: readonly number[] = [0, 1, 2, 3, 4, 0], shape: ImageShape = imageShape): Batch {
  const images = tf.tidy(() =>
    tf.clipByValue(createRandom(5, 'images').uniform<tf.Rank.R4>([labels.length, ...shape], -0.1, 1.1), 0, 1),
  );
  return {
    images,
    labels: tf.tensor1d([...labels], 'int32'),
    indices: Int32Array.from(labels, (_, i) => i),
    view: (number) =>
      tf.tidy(() => {
        const noise = createRandom(5, `view ${number}`).uniform<tf.Rank.R4>(images.shape, -0.1, 0.1);
        return tf.clipByValue(tf.add(images, noise), 0, 1) as tf.Tensor4D;
      }),
  };
}

/** What an inner optimizer gets, with a generator of a fixed seed. */
export function craftContext(
  model: Classifier,
  options: ContractOptions,
  more: Partial<CraftContext> = {},
): CraftContext {
  return { model, threat: threatOf(options), random: createRandom(7, 'attack'), epoch: 0, epochs: 2, ...more };
}

/** What the plugin under test gets injected. */
export function fixtureServices(plugin: Plugin, options: ContractOptions): PluginServices {
  const all = [...corePlugins, ...(options.plugins ?? []), plugin];
  const registry = createRegistry([...new Map(all.map((each) => [`${each.kind} ${each.name}`, each])).values()]);
  const services: PluginServices = {
    make<K extends PluginKind>(kind: K, spec: PluginSpec): PluginProducts[K] {
      const { use, ...given } = checkSpec(registry, kind, spec, [kind]);
      return registry.find(kind, use).create(given, services) as PluginProducts[K];
    },
    random: (purpose) => createRandom(11, purpose),
    threat: threatOf(options),
    inputShape: options.imageShape ?? imageShape,
    classNames: Array.from({ length: classes }, (_, i) => `class ${i}`),
    baseFolder: options.baseFolder ?? process.cwd(),
    warn: () => undefined,
  };
  return services;
}

/** Makes the plugin as a run does: options checked, defaults filled in. */
export function makePlugin<K extends PluginKind>(
  plugin: Plugin<K>,
  options: ContractOptions,
  given: Readonly<Record<string, unknown>> = options.options ?? {},
): PluginProducts[K] {
  const services = fixtureServices(plugin as unknown as Plugin, options);
  return services.make(plugin.kind, { ...given, use: plugin.name });
}
