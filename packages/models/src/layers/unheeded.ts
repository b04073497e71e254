import { BulwarkError } from '@bulwark/core';

type Config = Readonly<Record<string, unknown>>;
/** Whether an option has the value that TensorFlow.js computes with whatever is written. */
type Heeded = (value: unknown) => boolean;

const all =
  (...values: unknown[]): Heeded =>
  (value) =>
    value === undefined || value === null || [value].flat().every((one) => values.includes(one));

const convolution = { groups: all(1) };
const transposed = { ...convolution, output_padding: all(), dilation_rate: all(1) };
const globalPool = { keepdims: all(false) };
const resizing = {
  crop_to_aspect_ratio: all(false),
  pad_to_aspect_ratio: all(false),
  data_format: all('channels_last'),
};

/** Options of Keras that TensorFlow.js reads over without a word, by the class of the layer, and what they must be. */
const unheeded: Readonly<Record<string, Readonly<Record<string, Heeded>>>> = {
  Conv1D: convolution,
  Conv2D: convolution,
  Conv3D: convolution,
  SeparableConv2D: convolution,
  DepthwiseConv2D: { ...convolution, dilation_rate: all(1) },
  Conv2DTranspose: transposed,
  Conv3DTranspose: transposed,
  ReLU: { negative_slope: all(0), threshold: all(0) },
  BatchNormalization: { renorm: all(false), virtual_batch_size: all() },
  LayerNormalization: { rms_scaling: all(false) },
  GlobalAveragePooling1D: globalPool,
  GlobalAveragePooling2D: globalPool,
  GlobalMaxPooling1D: globalPool,
  GlobalMaxPooling2D: globalPool,
  Resizing: resizing,
};

interface Described {
  readonly class_name: string;
  readonly config: Config;
}

/** Who wrote a description. */
export type Writer = 'keras 2' | 'keras 3' | 'tensorflow.js';

/** By the version that a description states; TensorFlow.js states its own. */
export function writerOf(version: unknown): Writer {
  if (/tfjs/.test(String(version)) || version === undefined) return 'tensorflow.js';
  return /^3\./.test(String(version)) ? 'keras 3' : 'keras 2';
}

/**
 * Refuses a layer with an option that TensorFlow.js would leave out of account: the model would compute something else than where it comes
 * from.
 * @param layer as in `model.json`
 * @param writer which tool wrote it: Keras 3 means another function by `hard_sigmoid`, any Keras another by bilinear upsampling
 * @throws BulwarkError MODEL_INVALID
 */
export function refuseUnheeded({ class_name: kind, config }: Described, where: string, writer: Writer): void {
  const refuse = (option: string, what: string) =>
    new BulwarkError(
      'MODEL_INVALID',
      `${where}: layer ${String(config['name'])} (${kind}) has ${option} ${JSON.stringify(config[option])}, ${what}`,
      { hint: 'build the layer in another way and convert the model again' },
    );
  const heeded = Object.hasOwn(unheeded, kind) ? unheeded[kind]! : {};
  for (const [option, isHeeded] of Object.entries(heeded))
    if (Object.hasOwn(config, option) && !isHeeded(config[option]))
      throw refuse(option, 'which TensorFlow.js leaves out of account, on every engine');
  for (const option of ['activation', 'recurrent_activation'])
    if (writer === 'keras 3' && config[option] === 'hard_sigmoid')
      throw refuse(option, "relu6(x + 3) / 6 in Keras 3; TensorFlow.js computes Keras 2's, clip(0.2 x + 0.5)");
  // pixels are taken to be points by TensorFlow.js, squares by Keras
  if (kind === 'UpSampling2D' && writer !== 'tensorflow.js' && !all('nearest')(config['interpolation']))
    throw refuse('interpolation', 'which TensorFlow.js computes with other weights than Keras');
}
