import { crossEntropy, discrepancy, type PluginSpec } from '@bulwark/core';
import {
  classWeights,
  fuseModels,
  linearity,
  marginWeights,
  onOffLambda,
  probabilisticMargin,
  smoothed,
  smoothedOverOthers,
  softCrossEntropy,
  weightedSquares,
} from '@bulwark/objectives';
import * as tf from '@tensorflow/tfjs-core';
import { numbersOf, toTensor, type Golden } from '../golden.js';
import {
  allFinite,
  compareStored,
  lossAndGradients,
  lossOf,
  objectiveOn,
  present,
  type StoredLoss,
} from './stored-logits.js';
import { refuseUnknown, shiftedTolerance, unitTolerance, type UnitRunner } from './unit.js';

const labelsOf = (values: unknown) => tf.tensor1d(numbersOf(values, 'y'), 'int32');
const mean = (values: tf.Tensor) => tf.mean(values);

/** The losses of `unit-objectives-2` that are whole objectives, with the hyper-parameters of the file. */
function specs(hyper: Golden): Record<string, PluginSpec> {
  const of = (name: string) => hyper[name] as Readonly<Record<string, number>>;
  const [lse, hat, mail, arow] = [of('lse'), of('hat'), of('mail'), of('arow')];
  const helped = { use: 'hat', helper: 'golden', beta: hat['beta'], gamma: hat['gamma'] };
  const weighted = { use: 'mail', beta: mail['beta'], bias: mail['bias'], slope: mail['slope'], burnIn: 0 };
  return {
    lse: { use: 'score', beta: lse['beta'] },
    lseSmoothed: { use: 'score', beta: lse['beta'], smoothing: lse['ls'] },
    lseClipped: { use: 'score', beta: lse['beta'], smoothing: lse['ls'], slack: lse['clip'] },
    hat: helped,
    atHat: { ...helped, robustLoss: 'cross-entropy' },
    hatSmoothed: { ...helped, smoothing: hat['ls'] },
    mailAt: { ...weighted, base: 'at' },
    mailTrades: { ...weighted, base: 'trades' },
    mailMart: { ...weighted, base: 'mart' },
    arow: { use: 'arow', beta: arow['lambda'], smoothing: arow['labelSmoothing'] },
    arowCe: { use: 'arow', beta: arow['lambda'], smoothing: 0 },
  };
}

/** The other losses of that file. */
function functions(hyper: Golden, given: { weights: tf.Tensor2D; soft: tf.Tensor2D }): Record<string, StoredLoss> {
  const { weights, soft } = given;
  const ikl = hyper['ikl'] as Readonly<Record<string, number>>;
  const share = Number(hyper['smoothing']);
  const sharpen = (z: tf.Tensor) => tf.div(z, Number(hyper['consistencyTemperature'])) as tf.Tensor2D;
  const squares: StoredLoss = ({ z, y }) => mean(weightedSquares(z.natural, z.adversarial, tf.matMul(y, weights)));
  const softened: StoredLoss = ({ z }) => mean(softCrossEntropy(z.natural, z.adversarial));
  return {
    ikl: (views) => tf.add(tf.mul(ikl['beta']!, squares(views)), tf.mul(ikl['alpha']!, softened(views))),
    iklAttack10: softened,
    iklAttack100: (views) => tf.add(softened(views), squares(views)),
    smoothCe: ({ z, y }) => mean(crossEntropy(z.natural, smoothed(y, share))),
    smoothCeOther: ({ z, y }) => mean(crossEntropy(z.natural, smoothedOverOthers(y, share))),
    jsConsistency: ({ z }) => mean(discrepancy('js')(sharpen(z.natural), sharpen(z.adversarial))),
    softTargetKl: ({ z }) => {
      const entropy = tf.neg(tf.sum(tf.mul(soft, tf.log(tf.maximum(soft, 1e-30))), 1));
      return mean(tf.sub(crossEntropy(z.natural, soft), entropy));
    },
  };
}

/** What float32 has only finite values of where probabilities underflow. */
const underflowing = /^(hat|atHat|hatSmoothed|arow|arowCe|mailTrades|mailMart|jsConsistency)$/;
const gradients = { gradNat: 'natural', gradAdv: 'adversarial', gradHelp: 'helper' };

/** `unit-objectives-2`: whole outer losses on stored logits, with gradients. */
export const moreObjectivesUnit: UnitRunner = (json, comparison) => {
  refuseUnknown(comparison, json, ['hyper', 'sets']);
  const hyper = json['hyper'] as Golden;
  for (const set of json['sets'] as Golden[])
    tf.tidy(() => {
      refuseUnknown(comparison, set, ['nat', 'adv', 'help', 'y', 'yHelp', 'classWeights', 'softTargets', 'values']);
      const place = String(set['name']);
      const of = (field: string) => toTensor<tf.Tensor2D>(set[field], field);
      const weights = of('classWeights');
      const logits = new Map([
        ['natural', of('nat')],
        ['adversarial', of('adv')],
        ['helper', of('help')],
      ]);
      const stored = { logits, labels: labelsOf(set['y']), facts: { 'helper-label': labelsOf(set['yHelp']) } };
      const others = functions(hyper, { weights, soft: of('softTargets') });
      for (const [name, entry] of Object.entries(set['values'] as Golden)) {
        const expected = entry as Golden;
        refuseUnknown(comparison, expected, ['loss', 'weights', ...Object.keys(gradients)]);
        if ('weights' in expected) {
          const { slope, bias } = hyper['mail'] as { slope: number; bias: number };
          const own = marginWeights(probabilisticMargin(of('adv'), stored.labels), { slope, bias }).dataSync();
          const part = `${place}.${name}.weights`;
          comparison.compare({ quantity: name, part }, own, numbersOf(expected['weights'], part), unitTolerance);
        }
        const spec = specs(hyper)[name];
        const objective = spec && objectiveOn(of('nat').shape[1], spec);
        const loss = objective ? lossOf(objective) : others[name];
        if (!loss) {
          comparison.fail(name, 'not a known loss');
          continue;
        }
        const found = lossAndGradients(stored, loss);
        objective?.dispose?.();
        if (/xtreme$/.test(place) && underflowing.test(name)) {
          comparison.finite(`${name} (no exact value)`, allFinite(found));
          continue;
        }
        const tolerance = place === 'shifted' ? shiftedTolerance : unitTolerance;
        const wanted = { loss: expected['loss'], gradients: present(expected, gradients) };
        compareStored(comparison, { quantity: name, place, tolerance }, found, wanted);
      }
    });
};

/** `unit-distill`: the losses of ARD, RSLAD and LBGAT on stored logits, with gradients. */
export const distillUnit: UnitRunner = (json, comparison) => {
  refuseUnknown(comparison, json, ['torch', 'sets']);
  const wanted = { gradAdv: 'adversarial', gradNat: 'natural', gradTeacher: 'companion@natural' };
  for (const set of json['sets'] as Golden[])
    tf.tidy(() => {
      refuseUnknown(comparison, set, ['studentAdv', 'studentNat', 'teacher', 'y', 'ard', 'rslad', 'lbgat']);
      const of = (field: string) => toTensor<tf.Tensor2D>(set[field], field);
      const teacher = of('teacher');
      const student = [
        ['adversarial', of('studentAdv')],
        ['natural', of('studentNat')],
      ] as const;
      const compare = (quantity: string, entry: Golden, spec: PluginSpec) => {
        const logits = new Map([
          ...student,
          ...(quantity === 'lbgat' ? ([['companion@natural', teacher]] as const) : []),
        ]);
        const objective = objectiveOn(teacher.shape[1], spec);
        const found = lossAndGradients({ logits, labels: labelsOf(set['y']), facts: { teacher } }, lossOf(objective));
        objective.dispose?.();
        const at = { quantity, place: String(set['name']), tolerance: unitTolerance };
        compareStored(comparison, at, found, { loss: entry['value'], gradients: present(entry, wanted) });
      };
      for (const entry of set['ard'] as Golden[]) {
        const { temperature, weight } = entry;
        compare('ard', entry, { use: 'ard', teacher: 'golden', temperature, distillWeight: weight });
      }
      for (const entry of set['rslad'] as Golden[]) {
        const scale = { cifar10: 1, cifar100: 10 }[String(entry['script'])];
        compare('rslad', entry, { use: 'rslad', teacher: 'golden', scale });
      }
      for (const entry of set['lbgat'] as Golden[])
        compare('lbgat', entry, { use: 'lbgat', companion: 'golden', beta: entry['beta'] });
    });
};

/** `unit-elle`: the rule for lambda along a run, and the linearity error on stored logits. */
export const elleUnit: UnitRunner = (json, comparison) => {
  refuseUnknown(comparison, json, ['lambdaRule', 'rawLogits']);
  (json['lambdaRule'] as Golden[]).forEach((item, i) => {
    refuseUnknown(comparison, item, ['lambda', 'decayRate', 'sensitivity', 'linErr', 'lambdaUsed', 'lambdaAfterLast']);
    const [high, decay, sensitivity] = [item['lambda'], item['decayRate'], item['sensitivity']].map(Number);
    const rule = onOffLambda({ high: high!, decay: decay!, sensitivity: sensitivity! });
    const used = numbersOf(item['linErr'], 'linErr').map((error) => {
      const before = rule.lambda.dataSync()[0]!;
      tf.tidy(() => rule.see(tf.scalar(error)));
      return before;
    });
    const all = [...used, rule.lambda.dataSync()[0]!];
    rule.dispose();
    const wanted = [...numbersOf(item['lambdaUsed'], 'lambdaUsed'), Number(item['lambdaAfterLast'])];
    comparison.compare({ quantity: 'lambdaRule', part: `lambdaRule[${i}]` }, all, wanted, unitTolerance);
  });
  (json['rawLogits'] as Golden[]).forEach((item, i) =>
    tf.tidy(() => {
      refuseUnknown(comparison, item, [
        ...['lambda', 'y', 'mix', 'logitsAdv', 'logitsTriplet', 'loss', 'linErr', 'gradAdv', 'gradTriplet'],
      ]);
      const pieces = tf.split(toTensor<tf.Tensor2D>(item['logitsTriplet'], 'logitsTriplet'), 3) as tf.Tensor2D[];
      const roles = ['linear-a', 'linear-b', 'linear-c'];
      const logits = new Map(roles.map((role, at) => [role, pieces[at]!] as const));
      logits.set('adversarial', toTensor<tf.Tensor2D>(item['logitsAdv'], 'logitsAdv'));
      const stored = {
        logits,
        labels: labelsOf(item['y']),
        facts: { mix: tf.tensor1d(numbersOf(item['mix'], 'mix')) },
      };
      const error: StoredLoss = (views) => mean(linearity(views));
      const total: StoredLoss = (views) =>
        tf.add(mean(crossEntropy(views.z.adversarial, views.y)), tf.mul(Number(item['lambda']), error(views)));
      const found = lossAndGradients(stored, total);
      const place = `rawLogits[${i}]`;
      const at = { quantity: 'rawLogits', place, tolerance: unitTolerance };
      compareStored(comparison, at, found, { loss: item['loss'], gradients: { adversarial: item['gradAdv'] } });
      const joint = roles.flatMap((role) => found.gradients.get(role)!);
      const wanted = numbersOf(item['gradTriplet'], 'gradTriplet');
      comparison.compare({ quantity: 'rawLogits', part: `${place}.gradTriplet` }, joint, wanted, unitTolerance);
      const linErr = lossAndGradients(stored, error).loss;
      comparison.compare({ quantity: 'linErr', part: place }, linErr, Number(item['linErr']), unitTolerance);
    }),
  );
};

/** `unit-ikl-weights`: class weights over epochs. */
export const iklWeightsUnit: UnitRunner = (json, comparison) => {
  refuseUnknown(comparison, json, ['numClasses', 'T', 'm', 'weights0', 'epochs']);
  const classes = Number(json['numClasses']);
  const weights = classWeights({ temperature: Number(json['T']), momentum: Number(json['m']) });
  tf.tidy(() => {
    weights.state.restore({ tensors: new Map([['weights', toTensor(json['weights0'], 'weights0')]]), values: null });
    (json['epochs'] as Golden[]).forEach((epoch, i) => {
      refuseUnknown(comparison, epoch, ['batches', 'weightsAfter']);
      for (const { y, logitsNat } of epoch['batches'] as Golden[])
        weights.add(
          tf.cast(tf.oneHot(labelsOf(y), classes), 'float32') as tf.Tensor2D,
          toTensor<tf.Tensor2D>(logitsNat, 'logitsNat'),
        );
      weights.endEpoch();
      const part = `epochs[${i}].weightsAfter`;
      const own = weights.table(classes).dataSync();
      comparison.compare(
        { quantity: 'weightsAfter', part },
        own,
        numbersOf(epoch['weightsAfter'], part),
        unitTolerance,
      );
    });
  });
  weights.dispose();
};

/** `unit-ramp-gp`: RAMP's fusion of an epoch of adversarial and one of natural training. Counters of batches are those of the former. */
export const fusionUnit: UnitRunner = (json, comparison) => {
  refuseUnknown(comparison, json, ['torch', 'layout', 'old', 'natural', 'target', 'items']);
  const counter = (name: string) => name.endsWith('num_batches_tracked');
  const tensorsOf = (values: unknown) =>
    new Map(
      Object.entries(values as Golden)
        .filter(([name]) => !counter(name))
        .map(([name, value]) => [name, toTensor(value, name)] as const),
    );
  const [old, natural, adversarial] = [tensorsOf(json['old']), tensorsOf(json['natural']), tensorsOf(json['target'])];
  (json['items'] as Golden[]).forEach((item, i) => {
    refuseUnknown(comparison, item, ['beta', 'cosine', 'result']);
    const fused = fuseModels({ old, natural, adversarial }, Number(item['beta']));
    for (const [name, value] of Object.entries(item['result'] as Golden)) {
      if (counter(name)) continue;
      const part = `items[${i}].${name}`;
      const own = fused.get(name)?.dataSync();
      comparison.compare({ quantity: 'result', part }, own, numbersOf(value, part), unitTolerance);
    }
    tf.dispose([...fused.values()]);
  });
  tf.dispose([...old.values(), ...natural.values(), ...adversarial.values()]);
};
