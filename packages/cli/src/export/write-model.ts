import { mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { BulwarkError, type Classifier, type LayersClassifier, type ModelContext, type Network } from '@bulwark/core';
import { writeAtomically } from '@bulwark/core/files';
import { factsToMetadata } from '@bulwark/core/formats';
import {
  encodeOnnxModel,
  encodeWeights,
  exportedFacts,
  requireWhole,
  toLayersModel,
  writeLayersModel,
  type ImageLayout,
} from '@bulwark/models';
import { hubConfigs } from './hub.js';

/** What `bulwark export` writes. */
export const exportForms = ['tfjs', 'safetensors', 'onnx', 'hub'] as const;
/** Name of a form. */
export type ExportForm = (typeof exportForms)[number];

/** How images of an ONNX model may lie in memory, the usual one first. */
export const layouts = ['nchw', 'nhwc'] as const satisfies readonly ImageLayout[];

/** What an ONNX model's input is called: libraries of hubs look for `pixel_values`. */
export const onnxInput = (form: ExportForm): string => (form === 'hub' ? 'pixel_values' : 'images');

/** Where and how to write. */
export interface Writing {
  readonly form: ExportForm;
  readonly folder: string;
  readonly context: ModelContext;
  readonly layout: ImageLayout;
  readonly warn: (message: string) => void;
}

async function writeLayers(model: Classifier, { folder, context }: Writing): Promise<string[]> {
  requireWhole(model);
  const about = factsToMetadata(exportedFacts(model, context));
  if ('model' in model) return writeLayersModel((model as LayersClassifier).model, folder, about);
  if (!('graph' in model))
    throw new BulwarkError('MODEL_INVALID', `${model.name} is neither a graph nor a layers model`, {
      hint: 'export it --to safetensors',
    });
  const layers = toLayersModel(model as Network);
  const files = await writeLayersModel(layers, folder, about);
  layers.dispose();
  return files;
}

/** Files with their content, in the order in which they are written. */
type Contents = Record<string, () => Uint8Array | string>;

function writeAll(folder: string, contents: Contents): string[] {
  for (const [name, content] of Object.entries(contents)) {
    const bytes = content();
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeAtomically(join(folder, name), bytes);
  }
  return Object.keys(contents);
}

/** A hub's folder. A model that ONNX has no operators for is said to be without. */
async function writeHub(model: Classifier, writing: Writing & { onnx: () => Uint8Array }): Promise<string[]> {
  const { folder, context, onnx, warn } = writing;
  // weights alone do not say what a user's own layers compute
  const weights =
    'model' in model
      ? await writeLayers(model, writing)
      : writeAll(folder, { 'model.safetensors': () => encodeWeights(model, context) });
  const rest = hubConfigs(exportedFacts(model, context));
  try {
    const bytes = onnx();
    return [...weights, ...writeAll(folder, { 'onnx/model.onnx': () => bytes, ...rest })];
  } catch (error) {
    if (!(error instanceof BulwarkError) || error.code !== 'MODEL_INVALID') throw error;
    warn(`without onnx/model.onnx: ${error.message}`);
    return [...weights, ...writeAll(folder, rest)];
  }
}

/**
 * Writes a model in one form. @returns the names of the files, without cards
 * @throws BulwarkError MODEL_INVALID if the form has no such model
 */
export async function writeModel(model: Classifier, writing: Writing): Promise<string[]> {
  const { form, folder, context } = writing;
  const layout = form === 'hub' ? 'nchw' : writing.layout;
  const onnx = () => encodeOnnxModel(model, { layout, context, input: onnxInput(form) });
  if (form === 'tfjs') return writeLayers(model, writing);
  if (form === 'hub') return writeHub(model, { ...writing, onnx });
  if (form === 'onnx') return writeAll(folder, { 'model.onnx': onnx });
  return writeAll(folder, { 'model.safetensors': () => encodeWeights(model, context) });
}
