import { resolve } from 'node:path';
import {
  BulwarkError,
  blankRandom,
  classifierOfLayers,
  createNetwork,
  defineModel,
  integer,
  type InputNormalisation,
  type Network,
  type NetworkGraph,
  type Plugin,
  type PluginServices,
} from '@bulwark/core';
import { z } from 'zod';
import { mlp } from './architectures/mlp.js';
import { commonOptions, type Size, type WeightsOption } from './architectures/options.js';
import { preActResnet } from './architectures/preact-resnet.js';
import { resnet } from './architectures/resnet.js';
import { smallCnn } from './architectures/small-cnn.js';
import { vgg } from './architectures/vgg.js';
import { wideResnet } from './architectures/wide-resnet.js';
import { readLayersModel } from './layers/files.js';
import { loadWeights } from './weights/load.js';

interface Common {
  readonly normalize?: InputNormalisation | undefined;
  readonly weights?: WeightsOption | undefined;
}

const size = (services: PluginServices): Size => ({
  inputShape: services.inputShape,
  classes: services.classNames.length,
});

/**
 * Makes the classifier of an architecture for a run. Presets have a name of their own; `use` is the architecture that they set.
 * @param graph receives the options, with image shape and number of classes
 */
function build<Options extends Common>(
  named: { name: string; use?: string },
  options: Options,
  services: PluginServices,
  graph: (options: Options & Size) => NetworkGraph,
): Network {
  const { name, use = name } = named;
  const network = createNetwork(graph({ ...options, ...size(services) }), {
    name,
    architecture: { use, ...(options as object) },
    random: options.weights === undefined ? services.random('initialisation') : blankRandom,
  });
  if (options.weights !== undefined && !services.weightsFollow) {
    const { file, from } = typeof options.weights === 'string' ? { file: options.weights } : options.weights;
    for (const note of loadWeights(network, resolve(services.baseFolder, file), { from }).notes) services.warn(note);
  }
  return network;
}

const width = (value: number, description: string) =>
  integer({ min: 1, max: 4096 }).default(value).describe(description);
const blocks = z
  .array(integer({ min: 1, max: 64 }))
  .min(1)
  .max(6)
  .default([2, 2, 2, 2])
  .describe('blocks per stage');

const smallCnnPlugin = defineModel({
  name: 'small-cnn',
  summary: 'Three convolutions with BatchNorm and a linear layer; trains on a laptop.',
  options: { ...commonOptions, width: width(16, 'channels of the first convolution') },
  create: (options, services) => build({ name: 'small-cnn' }, options, services, smallCnn),
});

const mlpPlugin = defineModel({
  name: 'mlp',
  summary: 'Fully connected layers with ReLU, without BatchNorm.',
  options: {
    ...commonOptions,
    width: width(256, 'units of each hidden layer'),
    depth: integer({ min: 0, max: 32 }).default(2).describe('hidden layers'),
  },
  create: (options, services) => build({ name: 'mlp' }, options, services, mlp),
});

const resnet18Plugin = defineModel({
  name: 'resnet18',
  summary: 'ResNet-18 for small images.',
  cite: 'He et al., 2016; arXiv:1512.03385',
  options: { ...commonOptions, width: width(64, 'channels of the first stage'), blocks },
  create: (options, services) => build({ name: 'resnet18' }, options, services, resnet),
});

const preActResnet18Plugin = defineModel({
  name: 'preact-resnet18',
  summary: 'Pre-activation ResNet-18, as in AWP.',
  cite: 'He et al., 2016; arXiv:1603.05027',
  options: {
    ...commonOptions,
    width: width(64, 'channels of the first stage'),
    blocks,
    finalNorm: z.boolean().default(true).describe('BatchNorm and ReLU before the pool (AWP: yes; kuangliu: no)'),
    shortcut: z
      .enum(['activated', 'raw'])
      .default('activated')
      .describe('what shortcut convolutions read (AWP: activated; some RobustBench models: raw)'),
  },
  create: (options, services) => build({ name: 'preact-resnet18' }, options, services, preActResnet),
});

const wideResnetCite = 'Zagoruyko and Komodakis, 2016; arXiv:1605.07146';

const wideResnetPlugin = defineModel({
  name: 'wide-resnet',
  summary: 'Wide ResNet of any depth and width.',
  cite: wideResnetCite,
  options: {
    ...commonOptions,
    depth: integer({ min: 10, max: 1000 }).default(34).describe('layers: 6 m + 4'),
    width: width(10, 'widening factor'),
  },
  create: (options, services) => build({ name: 'wide-resnet' }, options, services, wideResnet),
});

const wideResnetPreset = (depth: number, factor: number) => {
  const name = `wrn-${depth}-${factor}`;
  return defineModel({
    name,
    summary: `Wide ResNet with ${depth} layers, ${factor} times as wide.`,
    cite: wideResnetCite,
    options: commonOptions,
    create: (options, services) =>
      build({ name, use: 'wide-resnet' }, { ...options, depth, width: factor }, services, wideResnet),
  });
};

const vggPlugin = defineModel({
  name: 'vgg',
  summary: 'VGG with BatchNorm: 11, 13, 16 or 19 layers.',
  cite: 'Simonyan and Zisserman, 2015; arXiv:1409.1556',
  options: {
    ...commonOptions,
    depth: z.literal([11, 13, 16, 19]).default(16).describe('layers: 11, 13, 16 or 19'),
    width: width(64, 'channels of the first stage'),
  },
  create: (options, services) => build({ name: 'vgg' }, options, services, vgg),
});

const layersModelPlugin = defineModel({
  name: 'layers-model',
  summary: 'Your own TensorFlow.js Layers model, from its model.json.',
  options: {
    path: z.string().describe('model.json of the model; its weight files lie beside it'),
  },
  create: async ({ path }, services) => {
    const model = classifierOfLayers(await readLayersModel(resolve(services.baseFolder, path)), {
      name: 'layers-model',
    });
    const { inputShape, classes } = size(services);
    if (model.classes === classes && model.inputShape.join() === inputShape.join()) return model;
    throw new BulwarkError(
      'MODEL_INVALID',
      `${path} takes [${model.inputShape.join(', ')}] and has ${model.classes} classes; the data has [${inputShape.join(', ')}] and ${classes}`,
      { cure: 'use the data that the model was made for' },
    );
  },
});

/** Every architecture, ready to be registered. */
export const modelPlugins: Plugin[] = [
  smallCnnPlugin,
  mlpPlugin,
  resnet18Plugin,
  preActResnet18Plugin,
  wideResnetPlugin,
  wideResnetPreset(34, 5),
  wideResnetPreset(34, 10),
  wideResnetPreset(28, 10),
  vggPlugin,
  layersModelPlugin,
];
