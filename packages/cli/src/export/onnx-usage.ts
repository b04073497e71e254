import type { ModelFacts } from '@bulwark/core';
import type { ImageLayout } from '@bulwark/models';
import type { Usage } from './usage.js';

/** An ONNX file among the exported ones. */
interface OnnxFile {
  readonly file: string;
  readonly layout: ImageLayout;
  readonly input: string;
}

const javascript = (module: string, sizes: string, { file, input }: OnnxFile) =>
  [
    `import * as ort from '${module}';`,
    `const session = await ort.InferenceSession.create('${file}');`,
    `const images = new ort.Tensor('float32', pixels, [n, ${sizes}]); // pixels: Float32Array, byte / 255`,
    `const { logits } = await session.run({ ${input === 'images' ? 'images' : `${input}: images`} });`,
    'console.log(logits.dims, logits.data);',
  ].join('\n');

const python = (sizes: string, { file, input }: OnnxFile) =>
  [
    'import numpy, onnxruntime',
    `session = onnxruntime.InferenceSession('${file}')`,
    `images = pixels.astype(numpy.float32) / 255  # [n, ${sizes}]`,
    `logits, = session.run(['logits'], {'${input}': images})`,
    'print(logits.argmax(axis=1))',
  ].join('\n');

/** Five lines for ONNX Runtime in Node, in a page and in Python. */
export function onnxRuntime({ inputShape, normalize }: ModelFacts, onnx: OnnxFile): Usage[] {
  const [height, width, channels] = inputShape;
  const sizes = (onnx.layout === 'nchw' ? [channels, height, width] : [height, width, channels]).join(', ');
  const text = `Images are [n, ${sizes}], float32 in [0, 1], any number at once. Normalise nothing${normalize ? ': the model does' : ''}. \`logits\` has no softmax.`;
  return [
    { framework: 'ONNX Runtime in Node', text, code: javascript('onnxruntime-node', sizes, onnx) },
    { framework: 'ONNX Runtime in a page', text: 'The same.', code: javascript('onnxruntime-web', sizes, onnx) },
    { framework: 'ONNX Runtime in Python', text: 'The same.', code: python(sizes, onnx) },
  ];
}
