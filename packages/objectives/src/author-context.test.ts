import { beforeAll, describe, expect, it } from '@jest/globals';
import {
  defineObjective,
  kl,
  norms,
  radiusOf,
  useEngine,
  type ObjectiveForm,
  type PluginServices,
  type StepOutcome,
} from '@bulwark/core';
import { checkObjective } from '@bulwark/core/hooks';
import { checkFeatures } from '@bulwark/core/run';
import * as tf from '@tensorflow/tfjs-core';
import { pgd } from './inner/pgd.js';
import { squeeze } from './inner/squeeze.js';
import { crossEntropyAt } from './terms/cross-entropy.js';
import { oneStep, smallBatch, smallNetwork } from './testing/step.js';

beforeAll(() => useEngine('wasm'));

const services = { inputShape: [4, 4, 1], classNames: ['a', 'b', 'c'] } as unknown as PluginServices;
const objectiveOf = (form: ObjectiveForm) =>
  checkObjective(
    defineObjective({ name: 'own', summary: 'A method of the test.', create: () => form }).create(
      {} as never,
      services,
    ),
    'objective own',
  );
const inner = { steps: 2, stepSize: 0.1, start: 'uniform', startScale: 0.001, mode: 'eval' } as const;
const halfPerClass: ObjectiveForm['radii'] = ({ labels }, { threat }) =>
  tf.mul(tf.cast(labels, 'float32'), 0.5 * threat.epsilon) as tf.Tensor1D;

describe('a radius for each example', () => {
  const attacks = { pgd: pgd(inner), squeeze: squeeze({ ...inner, discrepancy: kl }) };

  it.each(
    Object.entries(attacks).flatMap(([name, points]) =>
      Object.values(norms).map((norm) => [name, norm.name, points] as const),
    ),
  )('is kept to by %s in %s, also in parts', (_name, normName, points) => {
    const norm = norms[normName];
    const objective = objectiveOf({
      points,
      radii: halfPerClass,
      loss: { classification: crossEntropyAt('adversarial') },
    });
    const batch = smallBatch([0, 1, 2, 1, 0, 2]);
    const epsilon = { linf: 0.1, l2: 0.4, l1: 2 }[normName];
    const lengths = (accumulate: number) => {
      const found: number[] = [];
      const look = ({ crafted }: StepOutcome) => {
        for (const point of Object.values(crafted.points))
          found.push(...norm.measure(tf.sub(point, batch.images) as tf.Tensor4D).dataSync());
      };
      oneStep({ model: smallNetwork(), batch, objective, accumulate, context: { threat: { norm, epsilon } } }, look);
      return found;
    };
    const whole = lengths(1);
    const labels = batch.labels.dataSync();
    whole.forEach((length, i) => {
      const most = 0.5 * epsilon * labels[i % labels.length]!;
      expect(length).toBeLessThanOrEqual(most + 1e-5);
      if (most > 0 && _name === 'pgd') expect(length).toBeGreaterThan(0.3 * most);
    });
    lengths(2).forEach((length, i) => expect(length).toBeCloseTo(whole[i]!, 4));
  });

  it('is refused when the run is composed under an attack that takes one for all, by name', () => {
    const points = { adversarial: ({ images }: { images: tf.Tensor4D }) => images.clone() };
    const form: ObjectiveForm = {
      points,
      radii: halfPerClass,
      loss: { classification: crossEntropyAt('adversarial') },
    };
    expect(() => objectiveOf(form)).toThrow(
      'objective own: it gives each example a radius of its own, but the attack that makes adversarial takes one for all',
    );
    expect(() => objectiveOf({ ...form, followsRadii: true })).not.toThrow();
  });

  it('is refused if there is not one per example', () => {
    const points = { adversarial: ({ images }: { images: tf.Tensor4D }) => images.clone() };
    for (const radii of [() => tf.tensor1d([0.1]), () => tf.scalar(0.1), () => tf.zeros([3, 1])]) {
      const loss = { classification: crossEntropyAt('adversarial') };
      const objective = objectiveOf({ points, followsRadii: true, radii: radii as never, loss });
      const step = () => oneStep({ model: smallNetwork(), batch: smallBatch([0, 1, 2]), objective }, () => undefined);
      expect(step).toThrow(/radii have the shape \[.*\] where there are 3 examples/);
    }
  });

  it('is one number where a method gives none', () => {
    expect(radiusOf({ epsilon: 0.1 })).toBe(0.1);
  });
});

describe('features of a layer in the loss', () => {
  const pairing = (layer: string): ObjectiveForm => ({
    points: { adversarial: ({ images }) => tf.sub(1, images) as tf.Tensor4D },
    loss: {
      classification: crossEntropyAt('natural'),
      pairing: ({ features }) => {
        const squares = tf.squaredDifference(features('natural', layer), features('adversarial', layer));
        return tf.mean(tf.reshape(squares, [squares.shape[0]!, -1]), 1) as tf.Tensor1D;
      },
    },
  });
  const stepOf = (form: ObjectiveForm, accumulate = 1) => {
    const model = smallNetwork();
    const found: number[][] = [];
    oneStep({ model, batch: smallBatch([0, 1, 2, 1]), objective: objectiveOf(form), accumulate }, ({ loss }) =>
      found.push([...loss.values.dataSync()]),
    );
    return { losses: found[0]!, weights: [...model.parameters.values()].flatMap((each) => [...each.dataSync()]) };
  };

  it('of the last one are the logits: the same loss and the same update', () => {
    const byLogits = pairing('fc');
    const logits: ObjectiveForm = {
      ...byLogits,
      loss: {
        ...byLogits.loss,
        pairing: ({ z }) => tf.mean(tf.squaredDifference(z.natural, z.adversarial), 1) as tf.Tensor1D,
      },
    };
    for (const accumulate of [1, 2]) {
      const [a, b] = [stepOf(byLogits, accumulate), stepOf(logits, accumulate)];
      a.losses.forEach((value, i) => expect(value).toBeCloseTo(b.losses[i]!, 5));
      a.weights.forEach((value, i) => expect(value).toBeCloseTo(b.weights[i]!, 5));
    }
  });

  it('bring their roles along: passes follow from them', () => {
    const { passes, terms } = objectiveOf(pairing('bn'));
    expect(passes.map(({ role }) => role)).toEqual(['natural', 'adversarial']);
    expect(terms[1]!.features).toEqual([
      { role: 'natural', layer: 'bn' },
      { role: 'adversarial', layer: 'bn' },
    ]);
    expect(stepOf(pairing('bn')).losses.every(Number.isFinite)).toBe(true);
  });

  it('of one pass of several points are taken apart', () => {
    const joint = { ...pairing('conv'), passes: ['natural+adversarial'] };
    const apart = pairing('conv');
    expect(stepOf(joint).losses[2]).toBeCloseTo(stepOf(apart).losses[2]!, 5);
  });

  it('are refused when the run is composed, with the nearest layer, or without one where a model shows none', () => {
    const model = smallNetwork();
    expect(() => checkFeatures(model, objectiveOf(pairing('fc.input')))).not.toThrow();
    expect(() => checkFeatures(model, objectiveOf(pairing('convv')))).toThrow(
      expect.objectContaining({
        message: 'objective own: the pairing term reads the layer convv of small, which has no such layer',
        hint: expect.stringContaining('did you mean conv? layers: conv, bn, fc'),
      }) as unknown as Error,
    );
    const { graph: _graph, ...closed } = model;
    expect(() => checkFeatures(closed, objectiveOf(pairing('fc')))).toThrow('not a graph of layers');
  });
});

it('what augmentations drew reaches attacks and losses, part by part', () => {
  const seen: number[][] = [];
  const mirrored = (batch: { drawn?: Readonly<Record<string, Readonly<Record<string, ArrayLike<number>>>>> }) =>
    seen.push(Array.from(batch.drawn?.['horizontal-flip']?.['mirrored'] ?? []));
  const objective = objectiveOf({
    points: {
      adversarial: (batch) => {
        mirrored(batch);
        return batch.images.clone() as tf.Tensor4D;
      },
    },
    loss: { classification: crossEntropyAt('adversarial') },
  });
  const batch = { ...smallBatch([0, 1, 2, 1]), drawn: { 'horizontal-flip': { mirrored: Int32Array.of(1, 0, 0, 1) } } };
  oneStep({ model: smallNetwork(), batch, objective, accumulate: 2 }, () => undefined);
  expect(seen).toEqual([
    [1, 0],
    [0, 1],
  ]);
});

describe('an objective that does not have the form of one is refused when the run is composed', () => {
  const natural = crossEntropyAt('natural');
  it.each([
    ['no loss', {}, 'objective own: it gives no loss'],
    ['an empty loss', { loss: {} }, 'objective own: it gives no loss'],
    ['a mean', { loss: { c: (views) => tf.mean(natural(views)) } }, 'the c term: its values have the form []'],
    ['logits', { loss: { c: ({ z }) => z.natural } }, 'the c term: its values have the form [2, 3]'],
    ['nothing', { loss: { c: () => undefined } }, 'the c term: its values have the form undefined'],
    [
      'what fails',
      { loss: { right: natural, c: ({ z }) => tf.add(z.natural, tf.zeros([7])) } },
      'objective own: the c term: ',
    ],
    ['a weight that fails', { loss: { c: { weight: () => [].at(0)!['x'], values: natural } } }, 'the c term: '],
  ] as [string, ObjectiveForm, string][])('%s', (_what, form, message) => {
    const made = () => objectiveOf(form);
    expect(made).toThrow(expect.objectContaining({ code: 'OBJECTIVE_INVALID' }) as unknown as Error);
    expect(made).toThrow(message);
  });
});
