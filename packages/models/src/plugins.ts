import { resolve } from 'node:path';
import {
  BulwarkError,
  blankRandom,
  classifierOfLayers,
  createNetwork,
  defineModel,
  integer,
  number,
  type InputNormalisation,
  type Network,
  type NetworkGraph,
  type Plugin,
  type PluginServices,
} from '@bulwark/core';
import { z } from 'zod';
import { activationNames } from './architectures/activations.js';
import { bottleneckResnet } from './architectures/bottleneck-resnet.js';
import { dmPreActResnet } from './architectures/dm-preact-resnet.js';
import { dmWideResnet } from './architectures/dm-wide-resnet.js';
import { mlp } from './architectures/mlp.js';
import { commonOptions, type Size, type WeightsOption } from './architectures/options.js';
import { preActResnet } from './architectures/preact-resnet.js';
import { resnet } from './architectures/resnet.js';
import { robustWideResnet } from './architectures/robust-wide-resnet.js';
import { smallCnn } from './architectures/small-cnn.js';
import { vgg } from './architectures/vgg.js';
import { wideResnet } from './architectures/wide-resnet.js';
import { readLayersModel } from './layers/files.js';
import { loadWeights } from './weights/load.js';
import { weightsFile } from './weights/of-run.js';

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
    const path = weightsFile(resolve(services.baseFolder, file));
    for (const note of loadWeights(network, path, { from }).notes) services.warn(note);
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
    perImage: z.boolean().default(false).describe('standardise every image by itself (MMA)'),
    variant: z
      .enum(['plain', 'ps-silu', 'cosine'])
      .default('plain')
      .describe('ps-silu: that activation, with shared parameters; cosine: cosines as logits (hypersphere embedding)'),
  },
  create: (options, services) => build({ name: 'wide-resnet' }, options, services, wideResnet),
});

const channels = (...four: [number, number, number, number]) =>
  z
    .array(integer({ min: 1, max: 65536 }))
    .length(4)
    .default(four)
    .describe('channels of the stem and of the three stages');
const stageBlocks = (...three: [number, number, number]) =>
  z
    .array(integer({ min: 1, max: 200 }))
    .length(3)
    .default(three)
    .describe('blocks of each stage; (depth - 4) / 6 of a Wide ResNet');
const activation = (name: (typeof activationNames)[number]) =>
  z.enum(activationNames).default(name).describe('activation');
/** A schema knows lists of three and four numbers as lists. */
type Four = readonly [number, number, number, number];
type Three = readonly [number, number, number];

const dmWideResnetPlugin = defineModel({
  name: 'dm-wide-resnet',
  summary:
    'Wide ResNet as in most robust models since 2020: SiLU, padding of TensorFlow; the default is 28-10. Also RaWRN and MeanSparse.',
  cite: 'Gowal et al., 2020; arXiv:2010.03593',
  options: {
    ...commonOptions,
    channels: channels(16, 160, 320, 640),
    blocks: stageBlocks(4, 4, 4),
    activation: activation('silu'),
    squeeze: number({ above: 0, max: 1 })
      .optional()
      .describe('squeeze and excitation with this share of the channels (RaWRN: 0.25); the default is none'),
    momentum: number({ above: 0, max: 1 })
      .default(0.1)
      .describe('share of a new batch in running statistics (RaWRN: 0.01)'),
    sparse: z.boolean().default(false).describe('MeanSparse after every BatchNorm and addition'),
  },
  create: (options, services) =>
    build({ name: 'dm-wide-resnet' }, options, services, (all) =>
      dmWideResnet({ ...all, channels: all.channels as unknown as Four, blocks: all.blocks as unknown as Three }),
    ),
});

const dmPreActResnetPlugin = defineModel({
  name: 'dm-preact-resnet18',
  summary: 'Pre-activation ResNet-18 as in Rebuffi, Gowal and Rade: SiLU, 3x3 shortcuts, padding of TensorFlow.',
  cite: 'Gowal et al., 2021; arXiv:2110.09468',
  options: { ...commonOptions, width: width(64, 'channels of the first stage'), activation: activation('silu') },
  create: (options, services) => build({ name: 'dm-preact-resnet18' }, options, services, dmPreActResnet),
});

const robustWideResnetPlugin = defineModel({
  name: 'robust-wide-resnet',
  summary: 'Wide ResNet of free depths and widths: RobustWRN (the default) and WRN-A4.',
  cite: 'Huang et al., 2021; arXiv:2110.03825',
  options: {
    ...commonOptions,
    channels: channels(16, 320, 640, 512),
    blocks: stageBlocks(5, 5, 5),
    activation: activation('relu'),
    version: z.literal([2021, 2022]).default(2021).describe('names and shortcuts of RobustWRN (2021) or WRN-A4 (2022)'),
  },
  create: (options, services) =>
    build({ name: 'robust-wide-resnet' }, options, services, (all) =>
      robustWideResnet({ ...all, channels: all.channels as unknown as Four, blocks: all.blocks as unknown as Three }),
    ),
});

const resnet50Plugin = defineModel({
  name: 'resnet50',
  summary: 'ResNet-50 for small images: bottleneck blocks.',
  cite: 'He et al., 2016; arXiv:1512.03385',
  options: {
    ...commonOptions,
    width: width(64, 'channels within the first stage'),
    blocks: blocks.default([3, 4, 6, 3]),
  },
  create: (options, services) => build({ name: 'resnet50' }, options, services, bottleneckResnet),
});

const wideResnetPreset = <const Depth extends number, const Factor extends number>(depth: Depth, factor: Factor) => {
  const name = `wrn-${depth}-${factor}` as const;
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
    const file = resolve(services.baseFolder, path);
    const layers = await readLayersModel(file, (text) => services.warn(text));
    const model = classifierOfLayers(layers, { name: 'layers-model' });
    const { inputShape, classes } = size(services);
    if (model.classes === classes && model.inputShape.join() === inputShape.join()) return model;
    throw new BulwarkError(
      'MODEL_INVALID',
      `${path} takes [${model.inputShape.join(', ')}] and has ${model.classes} classes; the data has [${inputShape.join(', ')}] and ${classes}`,
      { hint: 'use the data that the model was made for' },
    );
  },
});

const all = [
  smallCnnPlugin,
  mlpPlugin,
  resnet18Plugin,
  preActResnet18Plugin,
  wideResnetPlugin,
  dmWideResnetPlugin,
  dmPreActResnetPlugin,
  robustWideResnetPlugin,
  resnet50Plugin,
  wideResnetPreset(34, 5),
  wideResnetPreset(34, 10),
  wideResnetPreset(28, 10),
  vggPlugin,
  layersModelPlugin,
] as const;
/** The architectures, for the types of configs. */
export type ModelPlugin = (typeof all)[number];

/** Every architecture, ready to be registered. */
export const modelPlugins: Plugin[] = [...(all as unknown as readonly Plugin[])];
