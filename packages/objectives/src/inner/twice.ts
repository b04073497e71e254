import type { Batch, Classifier, InnerOptimizer, Pass, Role } from '@bulwark/core';
import { classifierWith, passWith } from '@bulwark/core/classifier';
import * as tf from '@tensorflow/tfjs-core';

/** The role or fact that the second neighbour goes by. */
export const secondOf = (name: Role): Role => `${name}-2`;

/** The model, which passes the natural batch without gradients only once per mode: two attacks share its logits. */
function rememberingNatural(model: Classifier, batch: Batch): { model: Classifier; forget: () => void } {
  const known = new Map<string, Pass>();
  const pass: Classifier['pass'] = (images, request) => {
    if (images.length !== 1 || images[0] !== batch.images || request.wrt !== 'nothing')
      return model.pass(images, request);
    const { mode } = request;
    if (!known.has(mode)) {
      const found = model.pass(images, request);
      // outlives the attack that asks first
      found.logits.forEach((logits) => tf.keep(logits));
      for (const layer of found.statistics.flatMap((each) => [...each.values()])) {
        tf.keep(layer.mean);
        tf.keep(layer.variance);
      }
      known.set(mode, found);
    }
    return passWith(known.get(mode)!, { dispose: () => undefined });
  };
  return { model: classifierWith(model, { pass }), forget: () => known.forEach((each) => each.dispose()) };
}

const withSuffix = <T>(record: Readonly<Record<string, T>>): Record<string, T> =>
  Object.fromEntries(Object.entries(record).map(([name, value]) => [secondOf(name), value]));

/** Runs an inner optimizer twice from independent starts; the second run's points and facts get their names with `-2`. */
export function twice(inner: InnerOptimizer): InnerOptimizer {
  return {
    produces: [...inner.produces, ...inner.produces.map(secondOf)],
    ...(inner.followsRadii && { followsRadii: true }),
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
