// Which methods the study compares, and what a budget of seconds buys of each.

const epsilon = 0.1;
const batchSize = 128;
/** Images of the training set that fill whole batches. */
const available = Math.floor(60_000 / batchSize) * batchSize;

const attack = (steps, stepSize) => ({ steps, stepSize, start: 'uniform' });

/** Objectives by the name that tables and figures have. Single-step methods as published; others with steps that cross the ball 1.25 to 2.5 times. */
export const methods = {
  'Fast-AT': { use: 'fast-at' },
  'N-FGSM': { use: 'n-fgsm' },
  'ELLE-A': { use: 'elle-a' },
  'Free-AT': { use: 'free-at', replays: 8 },
  'AT, 2 steps': { use: 'at', inner: attack(2, 0.0625) },
  'AT, 10 steps': { use: 'at', inner: attack(10, 0.025) },
  TRADES: { use: 'trades', beta: 6, inner: { steps: 10, stepSize: 0.025 } },
  ST: { use: 'st', beta: 6, inner: { steps: 10, stepSize: 0.025 } },
};

/** Name of a method in folders. */
export const slug = (method) => method.toLowerCase().replace(/[^a-z0-9]+/g, '-');

/** Steps of the optimizer on one batch: those of a replaying method come in rows. */
const replaysOf = (method) => methods[method].replays ?? 1;

/**
 * How many images and epochs come nearest to so many steps: whole epochs over as many of the images as it takes, so that every schedule ends where
 * the budget does.
 */
export function shape(method, steps) {
  const batches = Math.max(1, Math.round(steps / replaysOf(method)));
  const perEpoch = available / batchSize;
  const epochs = Math.ceil(batches / perEpoch);
  const images = Math.round(batches / epochs) * batchSize;
  return { epochs, images, steps: (images / batchSize) * epochs * replaysOf(method) };
}

/** The config of a run. One optimizer, one schedule, one network for all: what differs is the objective, and how many steps it can afford. */
export function configOf(method, { epochs, images, seed = 1, data, engine, width }) {
  return {
    name: slug(method),
    seed,
    engine,
    data: {
      use: 'fashion-mnist',
      ...(data && { folder: data }),
      batchSize,
      validation: 0,
      limit: { train: images },
    },
    model: { use: 'small-cnn', width },
    threat: { norm: 'linf', epsilon },
    objective: methods[method],
    optimizer: {
      use: 'sgd',
      learningRate: 0.1,
      weightDecay: 0.0005,
      schedule: { use: 'cyclic', peak: 0.3 },
    },
    epochs,
    evaluation: { final: 'none' },
  };
}
