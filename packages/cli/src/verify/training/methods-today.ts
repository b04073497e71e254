import { malformed } from '../golden.js';
import { innerOf, modeOf, named, passesOf, type Reading } from './method-fields.js';

type Words = (reading: Reading) => Record<string, unknown>;

const goals = { kl: 'kl', ce: 'cross-entropy' };

/** Step length in radii. */
const radii = ({ hyper }: Reading, length = 'alpha') => Number(hyper.take(length)) / Number(hyper.take('eps'));

/** Takes a field that says again what the method is; anything else cannot be run. */
const expect = ({ hyper }: Reading, name: string, ...values: readonly unknown[]) => {
  const value = hyper.take(name);
  if (value !== undefined && !values.includes(value))
    throw malformed(
      `hyper.${name} is ${JSON.stringify(value)}; only ${values.map((v) => JSON.stringify(v)).join(', ')} can be run`,
    );
};

const singleStep = (reading: Reading) => {
  expect(reading, 'K', 1);
  expect(reading, 'startClip', true);
  return { stepLength: radii(reading), mode: modeOf(reading), passes: passesOf(reading) };
};

const elle =
  (use: string, more: Words): Words =>
  (reading) => ({
    use,
    ...singleStep(reading),
    noise: reading.hyper.take('noiseRate'),
    clamp: reading.hyper.take('clampEps'),
    updates: reading.hyper.take('optimizerStepsPerBatch'),
    lambda: reading.hyper.take('lambda'),
    ...more(reading),
  });

const hat: Words = (reading) => ({
  use: 'hat',
  helper: 'golden',
  beta: reading.hyper.take('beta'),
  gamma: reading.hyper.take('gamma'),
  stretch: reading.hyper.take('h'),
  smoothing: reading.hyper.take('labelSmoothing'),
  robustLoss: named(goals, reading.hyper.take('robustLoss')),
  inner: innerOf(reading, 'uniform'),
  passes: passesOf(reading),
});

const mail =
  (base: string): Words =>
  (reading) => {
    expect(reading, 'base', base);
    return {
      use: 'mail',
      base,
      beta: reading.hyper.take('beta'),
      bias: reading.hyper.take('bias'),
      slope: reading.hyper.take('slope'),
      burnIn: 0,
      inner: innerOf(reading, 'uniform'),
    };
  };

const ikl: Words = (reading) => {
  const { hyper, noise } = reading;
  const budget = hyper.take('budget');
  expect(reading, 'attackBn', 'eval');
  hyper.take('epsPerStep');
  hyper.take('alphaPerStep');
  return {
    use: 'ikl',
    alpha: hyper.take('alphaLoss'),
    beta: hyper.take('betaLoss'),
    temperature: hyper.take('T'),
    momentum: hyper.take('m'),
    inner: {
      steps: hyper.take('K'),
      stepLength: budget === 'high' ? 0.5 : 1,
      startScale: noise?.['scale'],
      squares: hyper.take('attackBeta') === 1,
    },
    passes: passesOf(reading),
  };
};

const rslad: Words = (reading) => {
  const weights = reading.hyper.take('weights') as { adversarial: number; natural: number };
  expect(reading, 'teacherBn', 'eval');
  return {
    use: 'rslad',
    teacher: 'golden',
    adversarialWeight: weights.adversarial,
    naturalWeight: weights.natural,
    scale: reading.hyper.take('lossScale'),
    inner: innerOf(reading, 'uniform'),
    passes: passesOf(reading),
  };
};

const ard: Words = (reading) => {
  expect(reading, 'teacherBn', 'eval');
  return {
    use: 'ard',
    teacher: 'golden',
    distillWeight: reading.hyper.take('distillWeight'),
    temperature: reading.hyper.take('temperature'),
    inner: innerOf(reading, 'unclipped-uniform'),
    passes: passesOf(reading),
  };
};

const lbgat: Words = (reading) => {
  expect(reading, 'teacherBn', 'train');
  expect(reading, 'teacherTrained', true);
  return {
    use: 'lbgat',
    companion: 'golden',
    beta: reading.hyper.take('beta'),
    inner: innerOf(reading, 'uniform'),
    passes: [...(passesOf(reading) ?? []), 'companion@natural'],
  };
};

const dm: Words = (reading) => {
  expect(reading, 'loss', 'kl');
  const mixed = reading.hyper.take('cutmix');
  const smoothing = reading.hyper.take('labelSmoothing');
  return {
    use: 'trades',
    beta: reading.hyper.take('beta'),
    // labels that CutMix mixed are not smoothed, and the attack climbs their cross-entropy
    ...(mixed ? { goal: 'cross-entropy' } : { smoothing }),
    inner: innerOf(reading, 'uniform'),
    passes: passesOf(reading),
  };
};

/** Single-step, re-weighting and distillation methods in the words of a config; `golden` is the second network of the case. */
export const methodsOfToday: Record<string, Words> = {
  'FGSM-RS': (reading) => ({ use: 'fast-at', init: reading.hyper.take('init'), ...singleStep(reading) }),
  'N-FGSM': (reading) => {
    const clip = reading.hyper.take('clip');
    const noise = reading.hyper.take('k');
    return { use: 'n-fgsm', noise, clip: clip === -1 ? undefined : clip, ...singleStep(reading) };
  },
  'Free-AT': (reading) => {
    expect(reading, 'attackBn', 'train');
    if (radii(reading) !== 1) throw malformed('hyper.alpha is not hyper.eps; Free-AT steps by a radius');
    return { use: 'free-at', replays: reading.hyper.take('replays'), passes: passesOf(reading) };
  },
  ELLE: elle('elle', () => ({})),
  'ELLE-A': elle('elle-a', (reading) => {
    expect(reading, 'schedule', 'onoff');
    return { decayRate: reading.hyper.take('decayRate'), sensitivity: reading.hyper.take('sensitivity') };
  }),
  GradAlign: (reading) => {
    reading.hyper.take('fgsmAlpha');
    const tieGradient = reading.hyper.take('clampTieGradient');
    const { init, lambda } = { init: reading.hyper.take('init'), lambda: reading.hyper.take('lambda') };
    return { use: 'grad-align', init, lambda, tieGradient, ...singleStep(reading) };
  },
  SCORE: (reading) => {
    expect(reading, 'reg', 'l2');
    return {
      use: 'score',
      beta: reading.hyper.take('beta'),
      smoothing: reading.hyper.take('labelSmoothing'),
      slack: reading.hyper.take('clipValue'),
      inner: innerOf(reading, 'uniform'),
      passes: passesOf(reading),
    };
  },
  HAT: hat,
  'AT-HAT': hat,
  'MAIL-AT': mail('at'),
  'MAIL-TRADES': mail('trades'),
  'MAIL-MART': mail('mart'),
  ARoW: (reading) => ({
    use: 'arow',
    beta: reading.hyper.take('lambda'),
    smoothing: reading.hyper.take('labelSmoothing'),
    goal: named(goals, reading.hyper.take('innerLoss')),
    inner: innerOf(reading, 'uniform'),
    passes: passesOf(reading),
  }),
  IKL: ikl,
  'DM-TRADES': dm,
  ARD: ard,
  RSLAD: rslad,
  LBGAT: lbgat,
};
