import type { Batch, Classifier, InnerOptimizer, Role } from '@bulwark/core';
import * as tf from '@tensorflow/tfjs-core';

/** The role or fact that the second neighbour goes by. */
export const secondOf = (name: Role): Role => `${name}-2`;

/** The model, with the logits of the natural batch computed only once per mode: two attacks share them. */
function rememberingNatural(model: Classifier, batch: Batch): { model: Classifier; forget: () => void } {
  const known = new Map<string, tf.Tensor2D>();
  const forward: Classifier['forward'] = (images, mode) => {
    if (images !== batch.images || mode === 'train') return model.forward(images, mode);
    if (!known.has(mode)) known.set(mode, tf.keep(model.forward(images, mode)));
    return known.get(mode)!.clone();
  };
  return {
    model: Object.create(model, { forward: { value: forward } }) as Classifier,
    forget: () => known.forEach((logits) => logits.dispose()),
  };
}

const withSuffix = <T>(record: Readonly<Record<string, T>>): Record<string, T> =>
  Object.fromEntries(Object.entries(record).map(([name, value]) => [secondOf(name), value]));

/** Runs an inner optimizer twice from independent starts; the second run's points and facts get their names with `-2`. */
export function twice(inner: InnerOptimizer): InnerOptimizer {
  return {
    produces: [...inner.produces, ...inner.produces.map(secondOf)],
    craft(batch, context) {
      const { model, forget } = rememberingNatural(context.model, batch);
      const first = inner.craft(batch, { ...context, model });
      const observe = context.observe;
      const second = inner.craft(batch, {
        ...context,
        model,
        observe: observe && ((seen) => observe({ ...seen, points: withSuffix(seen.points) })),
      });
      forget();
      return {
        points: { ...first.points, ...withSuffix(second.points) },
        facts: { ...first.facts, ...withSuffix(second.facts ?? {}) },
      };
    },
  };
}
