import * as tf from '@tensorflow/tfjs-core';
import type { CompiledPass } from '../engine/passes.js';
import type { BatchStatistics, LayerStatistics } from './classifier.js';
import type { NetworkGraph } from './graph.js';

/** A pass with batch statistics, and these. */
export interface Captured {
  readonly logits: tf.Tensor2D;
  readonly statistics: BatchStatistics;
}

/** How many values of one image each BatchNorm averages per channel. */
export function valuesPerImage(graph: NetworkGraph): ReadonlyMap<string, number> {
  const layers = graph.nodes.flatMap((node, id) =>
    node.op === 'batch-norm' ? [[node.name, tf.util.sizeFromShape(graph.shapes[id]!.slice(0, -1))] as const] : [],
  );
  return new Map(layers);
}

/**
 * Passes batches of one size, two or more, side by side as weights learn from them: differentiable, once, in all images and in all parameters.
 * @param options.values values of one image by BatchNorm layer
 */
export function passCaptured(
  training: NonNullable<CompiledPass['training']>,
  images: readonly tf.Tensor4D[],
  options: {
    parameters: readonly string[];
    value: (name: string) => tf.Tensor;
    values: ReadonlyMap<string, number>;
  },
): Captured[] {
  const { parameters, value, values } = options;
  const batch = images[0]!.shape[0];
  const statistics: BatchStatistics[] = [];
  const all = tf.customGrad((...given) => {
    const save = given.pop() as unknown as tf.GradSaveFunc;
    const found = training.forward(given.slice(0, images.length) as tf.Tensor4D[], value);
    const biased = (layer: string, { mean, variance }: Pick<LayerStatistics, 'mean' | 'variance'>): LayerStatistics => {
      const count = batch * values.get(layer)!;
      const share = count > 1 ? (count - 1) / count : 1;
      return { mean: tf.keep(mean), variance: tf.keep(tf.mul(variance, share)), count };
    };
    for (const layers of found.statistics)
      statistics.push(new Map(layers.map(({ layer, ...each }) => [layer, biased(layer, each)])));
    save(found.kept.flat());
    const lengths = found.kept.map(({ length }) => length);
    const gradFunc = (dy: tf.Tensor, saved: tf.Tensor[]): tf.Tensor[] => {
      const rest = [...saved];
      const kept = lengths.map((length) => rest.splice(0, length));
      const gradients = training.gradients(tf.unstack(dy) as tf.Tensor2D[], kept);
      return [
        ...gradients.images,
        ...parameters.map((name) => gradients.parameters.get(name) ?? tf.zerosLike(value(name))),
      ];
    };
    return { value: tf.stack(found.logits), gradFunc };
  })(...images, ...parameters.map(value));
  const logits = tf.unstack(all) as tf.Tensor2D[];
  all.dispose(); // the tape needs no tensors but those that were saved
  return logits.map((each, at) => ({ logits: each, statistics: statistics[at]! }));
}
