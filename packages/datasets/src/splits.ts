import {
  BulwarkError,
  countOf,
  createRandom,
  imageSize,
  integer,
  isLoaded,
  rangeOf,
  selected,
  subset,
  type Condition,
  type DataSource,
  type ImageSet,
} from '@bulwark/core';
import { onlyWith } from '@bulwark/core/plugins';
import { z } from 'zod';

export const selectOn = z
  .enum(['validation', 'test'])
  .default('validation')
  .describe('compatibility: `test` chooses checkpoints on the test set, as most papers do, and holds nothing out');

/** Options of what is held out count where something is. */
const holdsOut: Condition = {
  words: 'selectOn: validation, and a validation above 0',
  holds: ({ selectOn: on, validation }) => on === 'validation' && validation !== 0,
};

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
  validation: onlyWith(
    z
      .number()
      .min(0)
      .default(defaults.validation)
      .describe(
        'examples held out of the training set for choosing checkpoints: a count, or a share below 1; 0 for none',
      ),
    { words: 'selectOn: validation', holds: ({ selectOn: on, validation }) => on === 'validation' || validation === 0 },
  ),
  splitSeed: onlyWith(
    integer({ min: 0 })
      .default(0)
      .describe('seed of the held-out choice; on its own, so that runs with other seeds hold out the same examples'),
    holdsOut,
  ),
  selectOn,
  limit,
});

export type SplitOptions = z.output<z.ZodObject<ReturnType<typeof splitOptions>>>;

/** The first `count` examples, without copying. */
export const firstExamples = (set: ImageSet, count: number | undefined): ImageSet => rangeOf(set, 0, count);

/**
 * Which examples are held out: `count` of them, of every class its share (largest remainders), drawn without replacement.
 * One permutation of each class is drawn, in the order of the labels. Both lists are ascending.
 */
export function stratifiedHoldOut(
  labels: Int32Array,
  options: { count: number; seed: number },
): { kept: Int32Array; held: Int32Array } {
  const { count, seed } = options;
  const classes = positionsByClass(labels);
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
  const kept = new Int32Array(labels.length - count);
  const held = new Int32Array(count);
  for (let i = 0, k = 0, h = 0; i < labels.length; i++)
    if (isHeld[i]) held[h++] = i;
    else kept[k++] = i;
  return { kept, held };
}

/** Positions of each label's examples, in the order of the labels; typed, because there may be millions. */
function positionsByClass(labels: Int32Array): Int32Array[] {
  const counts = new Map<number, number>();
  for (const label of labels) counts.set(label, (counts.get(label) ?? 0) + 1);
  const order = [...counts.keys()].sort((a, b) => a - b);
  const groups = new Map(order.map((label) => [label, { members: new Int32Array(counts.get(label)!), filled: 0 }]));
  labels.forEach((label, i) => {
    const group = groups.get(label)!;
    group.members[group.filled++] = i;
  });
  return [...groups.values()].map(({ members }) => members);
}

/**
 * Takes the held-out examples out of a set: in memory by moving the others together in its own buffer, so that memory does not hold it
 * twice; a set that is read keeps a list of positions.
 */
function takeOut(
  set: ImageSet,
  { kept, held }: { kept: Int32Array; held: Int32Array },
): { rest: ImageSet; heldOut: ImageSet } {
  if (!isLoaded(set)) return { rest: selected(set, kept), heldOut: selected(set, held) };
  const heldOut = subset(set, held);
  const size = imageSize(set);
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
      { hint: 'lower `skip`' },
    );
  const from = rangeOf(whole.train, skip);
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
      { hint: 'lower `validation`, or set it to 0' },
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
