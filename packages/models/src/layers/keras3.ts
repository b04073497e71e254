import { BulwarkError } from '@bulwark/core';
import { isOperation, operationAsLayer } from './keras3-operations.js';

type Json = Record<string, unknown>;

const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Was this description written by Keras 3, whose form TensorFlow.js does not know? */
export function isKeras3(topology: object): boolean {
  const { keras_version: version, model_config: model = topology } = topology as Json;
  const layers = (isObject(model) && isObject(model['config']) ? model['config']['layers'] : undefined) ?? [];
  const hasForm = (layer: unknown) => isObject(layer) && isObject(layer['config']) && 'batch_shape' in layer['config'];
  return /^3\./.test(String(version ?? '')) || (Array.isArray(layers) && layers.some(hasForm));
}

const isModel = (layer: unknown): boolean =>
  isObject(layer) && ['Model', 'Functional', 'Sequential'].includes(String(layer['class_name']));

const nameOf = (layer: Json): string => String(layer['name'] ?? (layer['config'] as Json)['name']);

/** Names of the models among some layers. Their making counts as a call for TensorFlow.js, so that all others count from 1. */
type Models = ReadonlySet<string>;
const modelsAmong = (layers: readonly unknown[]): Models =>
  new Set((layers.filter(isModel) as Json[]).filter(({ config }) => isObject(config)).map(nameOf));

/** `[name, call, tensor]`, counted as TensorFlow.js counts. */
function counted(link: readonly unknown[], models: Models): unknown[] {
  const [name, call, ...rest] = link;
  return [name, typeof call === 'number' && models.has(String(name)) ? call + 1 : call, ...rest];
}

/** `{ class_name: '__keras_tensor__', config: { keras_history: [name, node, tensor] } }` as `[name, node, tensor, {}]`. */
function linkOf(value: unknown, models: Models): unknown {
  const history = isObject(value) && isObject(value['config']) ? value['config']['keras_history'] : undefined;
  return Array.isArray(history) ? [...counted(history as unknown[], models), {}] : undefined;
}

/** One call of a layer: its tensors, alone or in lists, in the order of the arguments. */
function nodeOf(node: unknown, models: Models): unknown {
  if (!isObject(node) || !Array.isArray(node['args'])) return node;
  return (node['args'] as unknown[]).flat().map((value) => linkOf(value, models) ?? value);
}

/** Options that Keras has renamed; TensorFlow.js takes its default for one it does not know. */
const renamed: Readonly<Record<string, readonly [now: string, before: string]>> = {
  InputLayer: ['batch_shape', 'batch_input_shape'],
  LeakyReLU: ['negative_slope', 'alpha'],
};

/** A data type may be a policy with the type as its name. */
function plainDtype(dtype: unknown): unknown {
  if (!isObject(dtype)) return dtype;
  const { name } = (dtype['config'] ?? {}) as Json;
  if (typeof name === 'string' && name.startsWith('mixed_')) return 'float32'; // variables are float32 there
  return name;
}

function configOf(className: unknown, config: Json): Json {
  const result: Json = { ...config, ...('dtype' in config && { dtype: plainDtype(config['dtype']) }) };
  const rename = renamed[String(className)];
  if (rename && rename[0] in result) {
    result[rename[1]] = result[rename[0]];
    delete result[rename[0]];
  }
  for (const option of ['activation', 'recurrent_activation']) if (result[option] === 'silu') result[option] = 'swish';
  return result;
}

/** A single input or output stands without the list around it. */
function listOf(ends: unknown, models: Models): unknown {
  const list: unknown = Array.isArray(ends) && typeof ends[0] === 'string' ? [ends] : ends;
  return Array.isArray(list) ? list.map((end: unknown) => (Array.isArray(end) ? counted(end, models) : end)) : list;
}

/** Models lie in models, but not without end: what is deeper is left for the check to refuse. */
const deepest = 64;

function layerOf(layer: unknown, depth = 0, models: Models = new Set()): unknown {
  if (depth > deepest || !isObject(layer) || !isObject(layer['config'])) return layer;
  const { class_name: className, config, inbound_nodes: nodes } = layer as Json & { config: Json };
  const calls = Array.isArray(nodes) ? nodes.map((node) => nodeOf(node, models)) : undefined;
  if (isOperation(layer)) {
    const call = calls?.[0];
    const { links, ...rest } = operationAsLayer(String(className), nameOf(layer), Array.isArray(call) ? call : []);
    return { ...rest, name: nameOf(layer), inbound_nodes: [links] };
  }
  const inner = configOf(className, config);
  const { layers } = inner;
  if (Array.isArray(layers)) {
    const within = modelsAmong(layers);
    inner['layers'] = layers.map((each) => layerOf(each, depth + 1, within));
    for (const ends of ['input_layers', 'output_layers']) if (ends in inner) inner[ends] = listOf(inner[ends], within);
  }
  const name = layer['name'] ?? inner['name'];
  return {
    class_name: className,
    ...(name !== undefined && { name }),
    config: inner,
    ...(calls && { inbound_nodes: calls }),
  };
}

/** A description by Keras 3 in the form of Keras 2, which TensorFlow.js builds. */
export function translateTopology(topology: object): object {
  const outer = topology as Json;
  return outer['model_config'] === undefined
    ? (layerOf(topology) as object)
    : { ...outer, model_config: layerOf(outer['model_config']) };
}

/** Layers with weights of their own, by name, with their classes. */
function leavesOf(layer: unknown, found = new Map<string, string>()): Map<string, string> {
  if (!isObject(layer) || !isObject(layer['config'])) return found;
  const { layers } = layer['config'];
  if (Array.isArray(layers)) for (const each of layers) leavesOf(each, found);
  else found.set(String(layer['name'] ?? layer['config']['name']), String(layer['class_name']));
  return found;
}

/**
 * Names of weights without the models that their layers lie in: `sequential/dense/kernel` is `dense/kernel`.
 * @throws BulwarkError WEIGHTS_INVALID, if two of them become one
 */
export function translateNames(names: readonly string[], topology: object): string[] {
  const leaves = leavesOf((topology as Json)['model_config'] ?? topology);
  const translated = names.map((name) => {
    const parts = name.split('/');
    const at = parts.findLastIndex((part, i) => i < parts.length - 1 && leaves.has(part));
    if (at < 0) return name;
    const own = parts.slice(at);
    // the kernel of a depthwise convolution has lost the first half of its name
    const isDepthwise = leaves.get(own[0]!) === 'DepthwiseConv2D' && own[1] === 'kernel';
    return isDepthwise ? `${own[0]}/depthwise_kernel` : own.join('/');
  });
  const twice = translated.find((name, i) => translated.indexOf(name) !== i);
  if (twice !== undefined)
    throw new BulwarkError('WEIGHTS_INVALID', `two weights of the model are called ${twice}`, {
      hint: 'give the layers of the model different names in Keras, and convert it again',
    });
  return translated;
}
