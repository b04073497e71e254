import {
  cast,
  div,
  engine,
  equal,
  max,
  maxPool as stockMaxPool,
  mul,
  reshape,
  slice,
  sum,
} from '../../tensor/index.js';
import type { NamedAttrMap, Tensor, Tensor4D } from '../../tensor/index.js';
import { layers } from '../../tensor/layers.js';
import { withoutGradient } from '../../loss/index.js';
import { defineLayer, type NodeId } from '../layer.js';

export interface MaxPoolNode {
  readonly op: 'max-pool';
  readonly input: NodeId;
  readonly size: number;
}

/** The maximum of squares of `size` that do not overlap. Rows and columns that fill no square are left out. */
export const maxPool = defineLayer<MaxPoolNode, [input: NodeId, size: number]>({
  op: 'max-pool',
  node: (from, size) => ({ input: from, size }),
  shape: ({ size }, [shape]) => [Math.floor(shape![0]! / size), Math.floor(shape![1]! / size), shape![2]!],
  forward: ({ size }, [x]) => {
    const y = stockMaxPool(x as Tensor4D, size, size, 'valid');
    return { y, residuals: [x!, y] };
  },
  backward: ({ size }, dy, { residuals: [x, y] }) => {
    const attributes = { filterSize: size, strides: size, pad: 'valid' } as unknown as NamedAttrMap;
    return { inputs: [engine().runKernel('MaxPoolGrad', { dy, input: x!, output: y! }, attributes) as Tensor] };
  },
  // the gradients of stock pooling and of a stock maximum have none of their own
  stock: ({ size }, [x]) => {
    const [batch, height, width, channels] = x!.shape as [number, number, number, number];
    const [rows, columns] = [Math.floor(height / size), Math.floor(width / size)];
    const whole = slice(x!, [0, 0, 0, 0], [batch, rows * size, columns * size, channels]);
    const squares = reshape(whole, [batch * rows, size, columns, size, channels]);
    const chosen = withoutGradient((x) => {
      const largest = cast(equal(x!, max(x!, [1, 3], true)), 'float32');
      return div(largest, sum(largest, [1, 3], true)) as Tensor;
    }, squares);
    return reshape(sum(mul(squares, chosen), [1, 3]), [batch, rows, columns, channels]);
  },
  stockLayers: ({ size }) => [{ layer: layers.maxPooling2d({ poolSize: size, strides: size, padding: 'valid' }) }],
  onnx: ({ size }, inputs, { op }) => op('MaxPool', inputs, { kernel_shape: [size, size], strides: [size, size] }),
});
