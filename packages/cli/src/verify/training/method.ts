import type { DecayGroup, EmaOptions, PluginSpec, Role, SgdOptions } from '@bulwark/core';
import { fieldReader, malformed, type FieldReader, type Golden } from '../golden.js';
import { defined, innerOf, named, passesOf, roleOf, type Reading } from './method-fields.js';
import { methodsOfNorms } from './methods-of-norms.js';
import { methodsOfToday } from './methods-today.js';
import { ratesOf, type Rates } from './rates.js';

/** A golden case's method in the words of a config. */
export interface Method {
  readonly objective: PluginSpec;
  readonly weightPerturber?: PluginSpec;
  readonly sgd: SgdOptions;
  readonly epsilon: number;
  /** Relative length of the weight perturbation. */
  readonly gamma: number;
  readonly outerPasses: readonly Role[];
  /** How the case reduces the loss of its attack over the batch. */
  readonly innerReduction: 'sum' | 'mean';
  /** Epoch (from 0) of a step, and how many there are. */
  readonly epochOf: (step: number) => number;
  readonly epochs: number;
  /** Learning rate and momentum of each step, where they change. */
  readonly rates?: Rates;
  /** The moving average that the case keeps, and the steps (from 0) with which an epoch ends. */
  readonly average?: EmaOptions;
  readonly epochEnds: ReadonlySet<number>;
  /** Share of each batch in the running statistics, step by step. */
  readonly statisticsMomenta?: readonly number[];
}

const discrepancies: Record<string, string> = {
  kl: 'kl',
  symkl: 'symmetric-kl',
  js: 'js',
  jsReversed: 'js-reversed',
  l2: 'squared-l2',
};

const discrepancyOf = ({ hyper }: Reading) => {
  const reg = hyper.take('reg');
  return {
    discrepancy: reg === undefined ? undefined : named(discrepancies, reg),
    detachTarget: hyper.take('detachTarget'),
  };
};

/** ST's collaborative pass leaves running statistics alone, unless the case says otherwise. */
const squeezePasses = (reading: Reading) => {
  const track = reading.hyper.take('trackCollaborative');
  return passesOf(reading)?.map((role) => (role === 'collaborative' && !track ? 'collaborative:batch' : role));
};

const trades = (use: string) => (reading: Reading) => ({
  use,
  beta: reading.hyper.take('beta'),
  ...discrepancyOf(reading),
  entropyWeight: reading.hyper.take('entropyWeight'),
  inner: innerOf(reading, 'unclipped-uniform'),
  passes: passesOf(reading),
});

const st = (use: string) => (reading: Reading) => ({
  use,
  beta: reading.hyper.take('beta'),
  ...discrepancyOf(reading),
  noSwapWhenNoBenign: reading.hyper.take('noSwapWhenNoBenign'),
  entropyWeight: reading.hyper.take('entropyWeight'),
  inner: innerOf(reading, 'unclipped-uniform'),
  passes: squeezePasses(reading),
});

const weightFunctions: Record<string, string> = { Tanh: 'tanh', Sigmoid: 'sigmoid', Discrete: 'discrete' };

const methods: Record<string, (reading: Reading) => Record<string, unknown>> = {
  AT: (reading) => ({
    use: 'at',
    riceBookkeeping: reading.hyper.take('cleanForwardAfterStep'),
    inner: innerOf(reading, 'uniform'),
    passes: passesOf(reading),
  }),
  TRADES: trades('trades'),
  RST: trades('rst'),
  MART: (reading) => ({
    use: 'mart',
    beta: reading.hyper.take('beta'),
    inner: innerOf(reading, 'unclipped-uniform'),
    passes: passesOf(reading),
  }),
  ST: st('st'),
  'ST-RST': st('st-rst'),
  COLLAB: (reading) => ({
    use: 'collaborative',
    beta: reading.hyper.take('beta'),
    ...discrepancyOf(reading),
    inner: innerOf(reading, 'unclipped-uniform'),
    passes: passesOf(reading),
  }),
  GAIRAT: (reading) => {
    const weights = reading.hyper.take('func');
    return {
      use: 'gairat',
      lambda: reading.hyper.take('lambda'),
      weights: weights === undefined ? undefined : named(weightFunctions, weights),
      burnIn: 0,
      inner: innerOf(reading, 'uniform'),
      passes: passesOf(reading),
    };
  },
  'GAIR-RST': (reading) => ({
    use: 'gair-rst',
    beta: reading.hyper.take('beta'),
    lambda: reading.hyper.take('lambda'),
    burnIn: 0,
    inner: innerOf(reading, 'unclipped-uniform'),
    passes: passesOf(reading),
  }),
  BAT: (reading) => ({
    use: 'bat',
    beta: reading.hyper.take('beta'),
    bridges: reading.hyper.take('bridges'),
    inner: innerOf(reading, 'uniform'),
  }),
  ...methodsOfToday,
  ...methodsOfNorms,
};

function objectiveOf(name: string, reading: Reading): PluginSpec {
  const dagger = name.endsWith('-dagger');
  const base = dagger ? name.slice(0, -'-dagger'.length) : name;
  const read = methods[base];
  if (!read)
    throw malformed(`method ${name} is not known; known: ${Object.keys(methods).join(', ')}, each with -dagger`);
  // two neighbours make their passes from those of the base method
  const spec = defined(read(dagger ? { ...reading, outerPasses: undefined } : reading)) as PluginSpec;
  const told = reading.hyper.take('base');
  if (told !== undefined && !base.endsWith(String(told).toUpperCase()))
    throw malformed(`hyper.base is ${String(told)} in a case of ${name}`);
  if (!dagger) return spec;
  return defined({ use: 'two-neighbours', of: spec, combine: reading.hyper.take('combine') }) as PluginSpec;
}

function perturberOf(hyper: FieldReader): PluginSpec | undefined {
  const use = hyper.take('wp');
  if (use === undefined || use === null || use === 'none') return undefined;
  hyper.take('proxyLr'); // the learning rate of the authors' proxy cancels out
  const options = { use, gamma: hyper.take('gamma') };
  if (use !== 'rwp') return defined(options) as unknown as PluginSpec;
  const more = { maxLoss: hyper.take('cMin'), steps: hyper.take('rwpSteps'), perLayer: hyper.take('perLayer') };
  return defined({ ...options, ...more }) as unknown as PluginSpec;
}

/** Which parameters the case decays, in the words of the optimizer. */
function decayOf(hyper: FieldReader): Pick<SgdOptions, 'decay' | 'undecayedLearningRate'> {
  const group = hyper.take('noDecayGroup') as Golden | undefined;
  if (group) return { decay: 'kernels', undecayedLearningRate: Number(group['lr']) };
  const without = hyper.take('noDecay') as string[] | undefined;
  const decay: DecayGroup = without?.length ? 'no-batch-norm' : 'all';
  return { decay };
}

/** The average of the DM trainer, the ends of its epochs and its BatchNorm momenta. */
function recipeOf(hyper: FieldReader): Pick<Method, 'average' | 'epochEnds' | 'statisticsMomenta'> {
  const [decay, start] = [hyper.take('tau'), hyper.take('warmupSteps')].map(Number);
  const plan = (hyper.take('epochPlan') ?? []) as [epoch: number, steps: number][];
  const ends = plan.map((_, at) => plan.slice(0, at + 1).reduce((sum, [, steps]) => sum + steps, 0) - 1);
  const momenta = hyper.take('bnMomentumTorchPerStep') as number[] | undefined;
  return {
    epochEnds: new Set(ends),
    ...(Number.isFinite(decay) && { average: { decay: decay!, start: start!, warmup: 10, statistics: 'copied' } }),
    ...(momenta && { statisticsMomenta: momenta }),
  };
}

/** The attacks whose loss a case adds up over the batch instead of averaging it. */
const summed = /^(TRADES|RST|GAIR-RST|SCORE|HAT|MAIL-TRADES|ARD|RSLAD|LBGAT)/;

/** Epochs of the steps: IKL's follow from the radius, which grows with them. */
function epochsOf(hyper: FieldReader, epsilon: number): Pick<Method, 'epochOf' | 'epochs'> {
  const epochs = Number(hyper.take('epochs') ?? 1);
  const radii = hyper.take('epsPerStep');
  if (!Array.isArray(radii)) return { epochs, epochOf: () => 0 };
  return { epochs, epochOf: (step) => Math.round((Number(radii[step]) / epsilon) * epochs) - 1 };
}

/** Reads `method` and `hyper`. @throws BulwarkError NUMERICS_MISMATCH for a method or hyper-parameter that cannot be run */
export function readMethod(method: string, hyperparameters: Golden, firstNoise: Golden | undefined): Method {
  const hyper = fieldReader(hyperparameters);
  const [name] = method.split('+') as [string];
  const outerPasses = hyper.take('outerPasses') as string[] | undefined;
  const objective = objectiveOf(name, { hyper, noise: firstNoise, outerPasses });
  const weightPerturber = perturberOf(hyper);
  const told = method.split('+')[1]?.toLowerCase();
  if (told !== weightPerturber?.use)
    throw malformed(`method is ${method}, hyper.wp is ${weightPerturber?.use ?? 'absent'}`);
  const given = hyper.take('eps') ?? hyper.take('epsMax');
  // methods of several norms have radii of their own
  const epsilon = typeof given === 'object' ? 0 : Number(given);
  hyper.take('note');
  const rates = ratesOf(hyper);
  for (const known of ['batchSizeArg', 'cutmix']) hyper.take(known);
  const arowOnKl = name === 'ARoW' && hyperparameters['innerLoss'] === 'kl';
  const result: Method = {
    objective,
    weightPerturber,
    sgd: {
      learningRate: Number(hyper.take('lr')),
      momentum: Number(hyper.take('momentum') ?? 0),
      weightDecay: Number(hyper.take('weightDecay') ?? 0),
      nesterov: Boolean(hyper.take('nesterov') ?? false),
      ...decayOf(hyper),
    },
    epsilon,
    gamma: Number(hyperparameters['gamma'] ?? 0),
    outerPasses: (outerPasses ?? []).map(roleOf),
    innerReduction: summed.test(name) || arowOnKl ? 'sum' : 'mean',
    ...epochsOf(hyper, epsilon),
    ...(rates && { rates }),
    ...recipeOf(hyper),
  };
  hyper.take('batchSize');
  const left = hyper.left();
  if (left.length > 0) throw malformed(`hyper.${left.join(', hyper.')} cannot be run with ${method}`);
  return result;
}
