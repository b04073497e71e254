import { BulwarkError, countOf, createRandom, integer, subset, type DataSource, type ImageSet } from '@bulwark/core';
import { z } from 'zod';

export const selectOn = z
  .enum(['validation', 'test'])
  .default('validation')
  .describe('compatibility: `test` chooses checkpoints on the test set, as most papers do, and holds nothing out');

export const limit = z
  .strictObject({
    skip: integer({ min: 0 }).optional().describe('leave out the first so many training examples'),
    train: integer({ min: 1 }).optional().describe('then use the first so many training examples, in file order'),
    test: integer({ min: 1 }).optional().describe('use the first so many test examples, in file order'),
  })
  .default({})
  .describe('use only the first examples, in file order; taken before anything is held out');

/** Options that every source of a whole data set has. */
export const splitOptions = (defaults: { validation: number }) => ({
  validation: z
    .number()
    .min(0)
    .default(defaults.validation)
    .describe(
      'examples held out of the training set for choosing checkpoints: a count, or a share below 1; 0 for none',
    ),
  splitSeed: integer({ min: 0 })
    .default(0)
    .describe('seed of the held-out choice; on its own, so that runs with other seeds hold out the same examples'),
  selectOn,
  limit,
});

export type SplitOptions = z.output<z.ZodObject<ReturnType<typeof splitOptions>>>;

/** The first `count` examples, without copying. */
export function firstExamples(set: ImageSet, count: number | undefined): ImageSet {
  if (count === undefined || count >= countOf(set)) return set;
  const size = set.shape[0] * set.shape[1] * set.shape[2];
  return { images: set.images.subarray(0, count * size), labels: set.labels.subarray(0, count), shape: set.shape };
}

/** All but the first `count` examples, without copying. */
function withoutFirst(set: ImageSet, count: number): ImageSet {
  const size = set.shape[0] * set.shape[1] * set.shape[2];
  return { images: set.images.subarray(count * size), labels: set.labels.subarray(count), shape: set.shape };
}

/**
 * Which examples are held out: `count` of them, of every class its share (largest remainders), drawn without replacement.
 * One permutation of each class is drawn, in the order of the labels. Both lists are ascending.
 */
export function stratifiedHoldOut(
  labels: Int32Array,
  options: { count: number; seed: number },
): { kept: Int32Array; held: Int32Array } {
  const { count, seed } = options;
  const groups = new Map<number, number[]>();
  labels.forEach((label, i) => {
    const group = groups.get(label);
    if (group) group.push(i);
    else groups.set(label, [i]);
  });
  const classes = [...groups.entries()].sort(([a], [b]) => a - b).map(([, members]) => members);
  const exact = classes.map((members) => (members.length * count) / labels.length);
  const quota = exact.map(Math.floor);
  const byRemainder = exact
    .map((share, k) => ({ k, rest: share - Math.floor(share) }))
    .sort((a, b) => b.rest - a.rest || a.k - b.k);
  let missing = count - quota.reduce((sum, n) => sum + n, 0);
  for (const { k } of byRemainder) if (missing-- > 0) quota[k]!++;
  const random = createRandom(seed, 'validation split');
  const isHeld = new Uint8Array(labels.length);
  classes.forEach((members, k) => {
    for (const position of random.permutation(members.length).subarray(0, quota[k])) isHeld[members[position]!] = 1;
  });
  const all = Int32Array.from(labels.keys());
  return { kept: all.filter((i) => !isHeld[i]), held: all.filter((i) => isHeld[i]) };
}

/** Takes the held-out examples out of a set by moving the others together in its own buffer, so that memory does not hold it twice. */
function takeOut(
  set: ImageSet,
  { kept, held }: { kept: Int32Array; held: Int32Array },
): { rest: ImageSet; heldOut: ImageSet } {
  const heldOut = subset(set, held);
  const size = set.shape[0] * set.shape[1] * set.shape[2];
  kept.forEach((from, to) => {
    set.images.copyWithin(to * size, from * size, (from + 1) * size);
    set.labels[to] = set.labels[from]!;
  });
  return { rest: firstExamples(set, kept.length), heldOut };
}

/** What the options make of a whole training and test set. Takes the training set over: its buffer is reordered. */
export function split(
  whole: { train: ImageSet; test: ImageSet },
  options: SplitOptions & { name: string },
): Pick<DataSource, 'train' | 'validation' | 'test' | 'notes'> {
  const { skip = 0 } = options.limit;
  if (skip >= countOf(whole.train))
    throw new BulwarkError(
      'CONFIG_INVALID',
      `data.limit.skip: ${options.name} has ${countOf(whole.train)} training examples, all are left out by ${skip}`,
      { cure: 'lower `skip`' },
    );
  const from = skip === 0 ? whole.train : withoutFirst(whole.train, skip);
  const train = firstExamples(from, options.limit.train);
  const test = firstExamples(whole.test, options.limit.test);
  const first = skip === 0 ? 'its first' : `examples ${skip + 1} to ${skip + countOf(train)}, that is`;
  const limits = [
    ...(train === whole.train ? [] : [`Training set limited to ${first} ${countOf(train)} examples.`]),
    ...(test === whole.test ? [] : [`Test set limited to its first ${countOf(test)} examples.`]),
  ];
  if (options.selectOn === 'test') return { train, validation: test, test, notes: [...limits, selectedOnTest] };
  const count =
    options.validation < 1 ? Math.round(options.validation * countOf(train)) : Math.round(options.validation);
  if (count === 0) return { train, test, notes: limits };
  if (count >= countOf(train))
    throw new BulwarkError(
      'CONFIG_INVALID',
      `data.validation: ${count} examples cannot be held out of the ${countOf(train)} training examples of ${options.name}`,
      { cure: 'lower `validation`, or set it to 0' },
    );
  const { rest, heldOut } = takeOut(train, stratifiedHoldOut(train.labels, { count, seed: options.splitSeed }));
  return {
    train: rest,
    validation: heldOut,
    test,
    notes: [
      ...limits,
      `Validation: ${count} training examples held out, stratified by class, split seed ${options.splitSeed}.`,
    ],
  };
}

export const selectedOnTest =
  'Checkpoints are chosen on the test set (compatibility option selectOn: test): its accuracy is optimistic.';
