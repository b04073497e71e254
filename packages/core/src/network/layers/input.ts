import type { ImageShape } from '../../batch.js';
import { defineLayer } from '../layer.js';

export interface InputNode {
  readonly op: 'input';
  readonly shape: ImageShape;
}

/** The images `[batch, h, w, c]` float32 in [0, 1]: the first node of every graph. */
export const input = defineLayer<InputNode, [shape: ImageShape]>({
  op: 'input',
  node: (shape) => ({ shape }),
  shape: ({ shape }) => shape,
  forward: (_node, [images]) => ({ y: images! }),
  backward: () => ({}),
  stockLayers: () => [],
  onnx: (_node, [images]) => images!,
});
