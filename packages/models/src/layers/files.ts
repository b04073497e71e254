import { rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { BulwarkError, type ModelFacts } from '@bulwark/core';
import { firstWrong, readRegularFile, textOf, writeAtomically } from '@bulwark/core/files';
import { factsFromMetadata } from '@bulwark/core/formats';
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { buildingWithin, checkTopology, manifestSchema } from './check.js';
import { isKeras3, translateNames, translateTopology } from './keras3.js';
import { scaledTwice } from './scaled-input.js';
import { withoutTraining } from './without-training.js';

/** Shards of this size are what TensorFlow.js writes, because browsers cache them well. */
const shardSize = 4 * 2 ** 20;

const invalid = (message: string, hint: string) => new BulwarkError('WEIGHTS_INVALID', message, { hint });

function joined(data: ArrayBuffer | ArrayBuffer[] | undefined): Uint8Array {
  const parts = (Array.isArray(data) ? data : [data ?? new ArrayBuffer(0)]).map((part) => new Uint8Array(part));
  return new Uint8Array(Buffer.concat(parts));
}

/**
 * Writes a layers model as `model.json` and binary shards, the form that `tf.loadLayersModel` opens in a browser.
 * @returns the names of the files
 */
export async function writeLayersModel(
  model: tfl.LayersModel,
  folder: string,
  metadata: Readonly<Record<string, unknown>> = {},
): Promise<string[]> {
  const written: string[] = [];
  const write = (name: string, content: string | Uint8Array) => {
    writeAtomically(join(folder, name), content);
    written.push(name);
  };
  // the description comes last: what is stopped halfway is no model, rather than an old one with new weights
  rmSync(join(folder, 'model.json'), { force: true });
  await model.save({
    save: async ({ modelTopology, weightSpecs = [], weightData }) => {
      const bytes = joined(weightData);
      const count = Math.max(1, Math.ceil(bytes.length / shardSize));
      const paths = Array.from({ length: count }, (_, i) => `group1-shard${i + 1}of${count}.bin`);
      paths.forEach((path, i) => write(path, bytes.subarray(i * shardSize, (i + 1) * shardSize)));
      const json = {
        format: 'layers-model',
        generatedBy: `TensorFlow.js tfjs-layers v${tfl.version_layers}`,
        convertedBy: 'Bulwark',
        modelTopology,
        weightsManifest: [{ paths, weights: weightSpecs }],
        userDefinedMetadata: metadata,
      };
      write('model.json', JSON.stringify(json));
      return { modelArtifactsInfo: { dateSaved: new Date(0), modelTopologyType: 'JSON' as const } };
    },
  });
  return written;
}

interface Described {
  readonly topology: object;
  readonly specs: tf.io.WeightsManifestEntry[];
  /** Numbers that the weights have in all. */
  readonly count: number;
  readonly data: Uint8Array;
}

function readManifest(path: string): Described {
  const read = (file: string) => {
    try {
      return readRegularFile(file);
    } catch (cause) {
      throw invalid(`cannot read ${file}: ${(cause as Error).message}`, 'check that all files of the model are there');
    }
  };
  const bytes = read(path);
  const other = otherForm(bytes);
  if (other) throw invalid(`${path} is ${other}, not the model.json of a layers model`, converted);
  let json: unknown;
  try {
    json = JSON.parse(textOf(bytes));
  } catch (cause) {
    if (cause instanceof BulwarkError) throw cause;
    throw invalid(
      `${path} is not JSON: ${(cause as Error).message.slice(0, 200)}`,
      'pass the model.json of a layers model',
    );
  }
  const { format, modelTopology: given, weightsManifest } = (json ?? {}) as Record<string, unknown>;
  if (format === 'graph-model' || Array.isArray((given as { node?: unknown } | undefined)?.node))
    throw invalid(
      `${path} is a graph model: operations with frozen weights, which cannot be trained or read as layers`,
      converted,
    );
  const translated = typeof given === 'object' && given !== null && isKeras3(given) ? translateTopology(given) : given;
  const modelTopology = withoutTraining(translated);
  if (typeof modelTopology !== 'object' || modelTopology === null || !Array.isArray(weightsManifest))
    throw invalid(
      `${path} has no modelTopology and weightsManifest`,
      'pass the model.json of a layers model, not of a graph model',
    );
  const { data: groups, error } = manifestSchema.safeParse(weightsManifest);
  if (error) throw invalid(`${path}: weightsManifest: ${firstWrong(error, weightsManifest)}`, 'get the model again');
  checkTopology(modelTopology, path);
  const paths = groups.flatMap((group) => group.paths);
  for (const shard of paths)
    // a shard lies beside its model.json: anything else would let a model read other files
    if (basename(shard) !== shard || shard === '..' || shard === '.')
      throw invalid(`${path}: ${JSON.stringify(shard)} is not the name of a file beside it`, 'get the model again');
  const data = Buffer.concat(paths.map((shard) => read(join(dirname(path), shard))));
  const entries = groups.flatMap((group) => group.weights) as tf.io.WeightsManifestEntry[];
  const names = entries.map(({ name }) => name);
  const own = translated === given ? names : translateNames(names, modelTopology);
  const specs = entries.map((entry, i) => ({ ...entry, name: own[i]! }));
  const sizes: Readonly<Record<string, number>> = { float32: 4, int32: 4, bool: 1, uint8: 1, uint16: 2, float16: 2 };
  const counts = specs.map(({ shape }) => shape.reduce((count, n) => count * n, 1));
  const needed = specs.reduce(
    (sum, { dtype, quantization }, i) => sum + sizes[quantization?.dtype ?? dtype]! * counts[i]!,
    0,
  );
  if (needed !== data.length)
    throw invalid(`${path} describes ${needed} bytes of weights, its files hold ${data.length}`, 'get the model again');
  return { topology: modelTopology, specs, count: counts.reduce((sum, count) => sum + count, 0), data };
}

const converted = 'convert the Keras model itself: tensorflowjs_converter --output_format=tfjs_layers_model';

/** Files of Keras and of others that people pass for a model.json. */
function otherForm(bytes: Uint8Array): string | undefined {
  const text = Buffer.from(bytes.subarray(0, 64)).toString('latin1');
  if (text.startsWith('PK')) return 'a zip archive (.keras, .pt)';
  if (text.startsWith('\x89HDF')) return 'an HDF5 file (.h5)';
  return /^\s*<(!doctype|html|head)/i.test(text) ? 'a web page, saved in place of the file' : undefined;
}

/**
 * Reads a layers model from `model.json` and the shards beside it, as any tool of TensorFlow.js writes them, Keras 3's form included.
 * @param warn hears of a model that scales images which are scaled already
 * @throws BulwarkError WEIGHTS_INVALID, MODEL_INVALID
 */
export async function readLayersModel(
  path: string,
  warn: (text: string) => void = () => undefined,
): Promise<tfl.LayersModel> {
  const { topology, specs, count, data } = readManifest(path);
  const doubt = scaledTwice(topology, path);
  if (doubt !== undefined) warn(doubt);
  const weightData = Uint8Array.from(data).buffer;
  try {
    return await buildingWithin(count, path, () =>
      tfl.loadLayersModel({
        load: () => Promise.resolve({ modelTopology: topology, weightSpecs: specs, weightData }),
      }),
    );
  } catch (cause) {
    if (cause instanceof BulwarkError) throw cause;
    throw new BulwarkError('MODEL_INVALID', `${path} cannot be built: ${(cause as Error).message.slice(0, 300)}`, {
      hint: 'use stock layers only; custom layers cannot be read from a file',
      cause,
    });
  }
}

/**
 * What an export of ours says of its network in `model.json`; undefined if another tool wrote it.
 * @throws BulwarkError WEIGHTS_INVALID if the facts are damaged
 */
export function readLayersFacts(path: string): ModelFacts | undefined {
  const { userDefinedMetadata } = JSON.parse(readRegularFile(path).toString('utf8')) as {
    userDefinedMetadata?: unknown;
  };
  if (typeof userDefinedMetadata !== 'object' || userDefinedMetadata === null) return undefined;
  return factsFromMetadata(userDefinedMetadata as Record<string, unknown>, path);
}
