import { div, sub, tensor1d } from '../../tensor/index.js';
import { layers } from '../../tensor/layers.js';
import { BulwarkError } from '../../errors.js';
import { defineLayer, type NodeId } from '../layer.js';

export interface NormalizeNode {
  readonly op: 'normalize';
  readonly input: NodeId;
  readonly mean: readonly number[];
  readonly std: readonly number[];
}

const row = (values: readonly number[]) => tensor1d([...values]);

/** Subtracts the mean and divides by the standard deviation of each channel. */
export const normalize = defineLayer<
  NormalizeNode,
  [input: NodeId, options: { mean: readonly number[]; std: readonly number[] }]
>({
  op: 'normalize',
  node: (from, { mean, std }) => ({ input: from, mean, std }),
  shape: ({ mean, std }, [shape]) => {
    for (const [key, values] of Object.entries({ mean, std }))
      if (values.length !== shape!.at(-1))
        throw new BulwarkError(
          'MODEL_INVALID',
          `normalize.${key} has ${values.length} numbers, images have ${shape!.at(-1)} channels`,
          { hint: 'give one number per channel' },
        );
    return shape!;
  },
  forward: ({ mean, std }, [x]) => ({ y: div(sub(x!, row(mean)), row(std)) }),
  backward: ({ std }, dy) => ({ inputs: [div(dy, row(std))] }),
  // a BatchNormalization that never saw data: (x - mean) * (1 / std)
  stockLayers: ({ mean, std }) => [
    {
      layer: layers.batchNormalization({ name: 'normalize', epsilon: 0, center: false }),
      weights: () => [row(std.map((deviation) => 1 / deviation)), row(mean), row(mean.map(() => 1))],
    },
  ],
  onnx: ({ mean, std }, [x], { op, constant }) => {
    const channels = (name: string, values: readonly number[]) =>
      constant(`normalize.${name}`, Float32Array.from(values), [values.length, 1, 1]);
    return op('Div', [op('Sub', [x!, channels('mean', mean)]), channels('std', std)]);
  },
});
