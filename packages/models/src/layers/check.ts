import { BulwarkError } from '@bulwark/core';
import { firstWrong } from '@bulwark/core/files';
import * as tfl from '@tensorflow/tfjs-layers';
import { z } from 'zod';
import { refuseUnheeded, writerOf } from './unheeded.js';

const size = z.number().int().min(0);

/** The part of `model.json` that says which bytes are which weight. */
export const manifestSchema = z.array(
  z.looseObject({
    paths: z.array(z.string()),
    weights: z.array(
      z.looseObject({
        name: z.string(),
        shape: z.array(size).max(8),
        dtype: z.enum(['float32', 'int32', 'bool']),
        quantization: z.looseObject({ dtype: z.enum(['uint8', 'uint16', 'float16']) }).optional(),
      }),
    ),
  }),
);

const nodeRef = z.tuple([z.string(), size, size]).rest(z.unknown());
/** What links layers to each other; everything else TensorFlow.js checks itself. */
const layerSchema = z.looseObject({
  class_name: z.string(),
  name: z.string().optional(),
  config: z.looseObject({ name: z.string().optional() }),
  inbound_nodes: z.array(z.array(nodeRef)).optional(),
});
type Layer = z.infer<typeof layerSchema>;

const deepest = 32;
const mostLayers = 20_000;

const invalid = (where: string, what: string) =>
  new BulwarkError('MODEL_INVALID', `${where}: ${what}`, { hint: 'get the model again: its description is damaged' });

const isModel = (className: string) => ['Model', 'Functional', 'Sequential'].includes(className);

function layersOf(config: unknown, where: string): Layer[] {
  // old Sequential models have the list itself as their config
  const list = Array.isArray(config) ? (config as unknown) : (config as { layers?: unknown } | null)?.layers;
  const { data, error } = z.array(layerSchema).max(mostLayers).safeParse(list);
  if (!error) return data;
  throw invalid(where, `layers: ${firstWrong(error, list, 'their list')}`);
}

/**
 * Walks the graph of layers as TensorFlow.js does, which goes on for ever if a layer waits for one that never comes.
 * @throws BulwarkError MODEL_INVALID
 */
function checkLinks(layers: readonly Layer[], where: string): void {
  const made = new Map<string, number>();
  const waiting: { name: string; node: readonly (readonly [string, number, ...unknown[]])[] }[] = [];
  for (const { name, class_name: className, config, inbound_nodes: nodes = [] } of layers) {
    if (name === undefined) throw invalid(where, `a layer of class ${className} has no name`);
    if (config.name !== undefined && config.name !== name)
      throw invalid(where, `layer ${JSON.stringify(name)} is called ${JSON.stringify(config.name)} in its own config`);
    if (made.has(name)) throw invalid(where, `two layers are called ${JSON.stringify(name)}`);
    // an input, and a model within the model, are there before anything is fed to them
    made.set(name, className === 'InputLayer' || isModel(className) ? 1 : 0);
    for (const node of nodes) waiting.push({ name, node });
  }
  for (let left = waiting; left.length > 0;) {
    const still = left.filter(({ name, node }) => {
      if (!node.every(([from, index]) => (made.get(from) ?? 0) > index)) return true;
      if (node.length > 0) made.set(name, made.get(name)! + 1);
      return false;
    });
    if (still.length === left.length) {
      const { name, node } = still[0]!;
      const from = node.find(([of, index]) => (made.get(of) ?? 0) <= index)![0];
      throw invalid(where, `layer ${JSON.stringify(name)} waits for ${JSON.stringify(from)}, which never comes`);
    }
    left = still;
  }
}

/** Checks what TensorFlow.js takes for granted of a model's description, and refuses what it would leave out. @throws BulwarkError MODEL_INVALID */
export function checkTopology(topology: object, where: string): void {
  const outer = topology as { model_config?: unknown; config?: unknown; keras_version?: unknown };
  const writer = writerOf(outer.keras_version);
  const walk = (model: unknown, depth: number): void => {
    const { class_name: className, config } = (model ?? {}) as { class_name?: unknown; config?: unknown };
    if (typeof className !== 'string' || !isModel(className)) return;
    if (depth > deepest) throw invalid(where, `more than ${deepest} models within each other`);
    const layers = layersOf(config, where);
    if (className !== 'Sequential') checkLinks(layers, where);
    for (const layer of layers) {
      refuseUnheeded(layer, where, writer);
      walk(layer, depth + 1);
    }
  };
  walk(outer.model_config ?? outer, 0);
}

/**
 * Builds a model while no more numbers may be made for its weights than its file holds: layers make theirs from sizes in the description,
 * which a few digits enlarge at will.
 * @throws BulwarkError MODEL_INVALID
 */
export async function buildingWithin<T>(held: number, where: string, build: () => Promise<T>): Promise<T> {
  const layer = tfl.layers.Layer.prototype as unknown as {
    addWeight(this: unknown, name: string, shape: readonly (number | null)[], ...rest: unknown[]): unknown;
  };
  const { addWeight } = layer;
  let made = 0;
  layer.addWeight = function (name, shape, ...rest) {
    made += shape.reduce<number>((count, n) => count * (n ?? NaN), 1);
    if (!(made <= held))
      throw invalid(
        where,
        `its layers need more than the ${held} numbers that its files hold, from ${name} [${shape}] on`,
      );
    return addWeight.call(this, name, shape, ...rest);
  };
  try {
    return await build();
  } finally {
    layer.addWeight = addWeight;
  }
}
