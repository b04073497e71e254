import { pad as padWithZeros, slice } from '../../tensor/index.js';
import { layers } from '../../tensor/layers.js';
import { defineLayer, type NodeId } from '../layer.js';

/** Rows and columns of zeros on each side of images. */
export interface Sides {
  readonly top: number;
  readonly bottom: number;
  readonly left: number;
  readonly right: number;
}

export interface PadNode extends Sides {
  readonly op: 'pad';
  readonly input: NodeId;
}

/** Adds zeros around images, as many on each side as said: for convolutions that pad one side only. */
export const pad = defineLayer<PadNode, [input: NodeId, sides: Partial<Sides>]>({
  op: 'pad',
  node: (from, { top = 0, bottom = 0, left = 0, right = 0 }) => ({ input: from, top, bottom, left, right }),
  shape: ({ top, bottom, left, right }, [shape]) => [top + shape![0]! + bottom, left + shape![1]! + right, shape![2]!],
  forward: ({ top, bottom, left, right }, [x]) => ({
    y: padWithZeros(x!, [
      [0, 0],
      [top, bottom],
      [left, right],
      [0, 0],
    ]),
  }),
  stockLayers: ({ top, bottom, left, right }) => [
    {
      layer: layers.zeroPadding2d({
        padding: [
          [top, bottom],
          [left, right],
        ],
      }),
    },
  ],
  backward: ({ top, left }, dy, { shapes }) => ({ inputs: [slice(dy, [0, top, left, 0], [...shapes[0]!])] }),
  onnx: ({ top, bottom, left, right }, [x], { op, constant }) => {
    const sides = [0, 0, top, left, 0, 0, bottom, right];
    return op('Pad', [x!, constant(`pads.${sides.join('.')}`, BigInt64Array.from(sides, BigInt))]);
  },
});
