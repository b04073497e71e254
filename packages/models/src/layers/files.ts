import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { BulwarkError } from '@bulwark/core';
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';

/** Shards of this size are what TensorFlow.js writes, because browsers cache them well. */
const shardSize = 4 * 2 ** 20;

const invalid = (message: string, cure: string) => new BulwarkError('WEIGHTS_INVALID', message, { cure });

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
  mkdirSync(folder, { recursive: true });
  const written: string[] = [];
  const write = (name: string, content: string | Uint8Array) => {
    writeFileSync(join(folder, name), content);
    written.push(name);
  };
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

interface ModelJson {
  readonly modelTopology?: object;
  readonly weightsManifest?: readonly { paths: readonly string[]; weights: tf.io.WeightsManifestEntry[] }[];
}

function readManifest(path: string): { topology: object; specs: tf.io.WeightsManifestEntry[]; data: Uint8Array } {
  const read = (file: string) => {
    try {
      return readFileSync(file);
    } catch (cause) {
      throw invalid(`cannot read ${file}: ${(cause as Error).message}`, 'check that all files of the model are there');
    }
  };
  let json: ModelJson;
  try {
    json = JSON.parse(read(path).toString('utf8')) as ModelJson;
  } catch (cause) {
    if (cause instanceof BulwarkError) throw cause;
    throw invalid(
      `${path} is not JSON: ${(cause as Error).message.slice(0, 200)}`,
      'pass the model.json of a layers model',
    );
  }
  const { modelTopology, weightsManifest } = json;
  if (typeof modelTopology !== 'object' || modelTopology === null || !Array.isArray(weightsManifest))
    throw invalid(
      `${path} has no modelTopology and weightsManifest`,
      'pass the model.json of a layers model, not of a graph model',
    );
  const paths = weightsManifest.flatMap((group) => group.paths as string[]);
  for (const shard of paths)
    // a shard lies beside its model.json: anything else would let a model read other files
    if (typeof shard !== 'string' || basename(shard) !== shard)
      throw invalid(`${path}: ${JSON.stringify(shard)} is not the name of a file beside it`, 'get the model again');
  const data = Buffer.concat(paths.map((shard) => read(join(dirname(path), shard))));
  const specs = weightsManifest.flatMap((group) => group.weights as tf.io.WeightsManifestEntry[]);
  const sizes: Readonly<Record<string, number>> = { float32: 4, int32: 4, bool: 1 };
  const needed = specs.reduce((sum, { shape, dtype, quantization }) => {
    const size = quantization ? { uint8: 1, uint16: 2, float16: 2 }[quantization.dtype] : sizes[dtype];
    return sum + (size ?? NaN) * shape.reduce((count, n) => count * n, 1);
  }, 0);
  if (needed !== data.length)
    throw invalid(`${path} describes ${needed} bytes of weights, its files hold ${data.length}`, 'get the model again');
  return { topology: modelTopology, specs, data };
}

/**
 * Reads a layers model from `model.json` and the shards beside it, as any tool of TensorFlow.js writes them.
 * @throws BulwarkError WEIGHTS_INVALID, MODEL_INVALID
 */
export async function readLayersModel(path: string): Promise<tfl.LayersModel> {
  const { topology, specs, data } = readManifest(path);
  const weightData = Uint8Array.from(data).buffer;
  try {
    return await tfl.loadLayersModel({
      load: () => Promise.resolve({ modelTopology: topology, weightSpecs: specs, weightData }),
    });
  } catch (cause) {
    throw new BulwarkError('MODEL_INVALID', `${path} cannot be built: ${(cause as Error).message.slice(0, 300)}`, {
      cure: 'use stock layers only; custom layers cannot be read from a file',
      cause,
    });
  }
}
