import { checkImageSet, countOf, disposeBatch, imagesAt, isLoaded, takeExamples, type ImageSet } from '../batch.js';
import { permutationSampler, type DataSource } from '../hooks/index.js';
import type { Plugin } from '../plugins/index.js';
import { createRandom } from '../random.js';
import { contracts, promise, promiseEqual, promiseNoLeak, promiseTensor, type Contract } from './contract.js';
import { engineOf, makePlugin, type ContractOptions } from './fixture.js';
import { definitionContract } from './plugin-contract.js';

const sets = (source: DataSource): [string, ImageSet][] =>
  [['train', source.train] as const, ['validation', source.validation] as const, ['test', source.test] as const].filter(
    (entry): entry is ['train', ImageSet] => entry[1] !== undefined,
  );

/** All bytes of a set that is in memory; the last and some other images of one that is read. */
const contentOf = (set: ImageSet): Uint8Array => {
  const last = countOf(set) - 1;
  return isLoaded(set) ? set.images : imagesAt(set, [0, last >> 1, last]);
};

/** What a data source promises: sets that are what they say, held-out images held out, and epochs that can be replayed. */
export function dataSourceContract(plugin: Plugin<'data'>, options: ContractOptions = {}): Contract[] {
  const open = async () => makePlugin(plugin, options);
  let opened: Promise<DataSource> | undefined;
  /** Read once for all checks: a source may hold hundreds of megabytes. */
  const make = () => (opened ??= open());
  const samplerOf = (source: DataSource, batchSize: number) =>
    source.sampler?.({ batchSize }) ?? permutationSampler(countOf(source.train), { batchSize });
  const checks = {
    async 'gives training and test images with labels among its classes'() {
      const source = await make();
      promise(
        source.classNames.length >= 2,
        () => `it names ${source.classNames.length} classes; at least 2 are needed`,
      );
      for (const [name, set] of sets(source)) {
        promise(countOf(set) > 0, () => `its ${name} set is empty`);
        promise(
          set.shape.join() === source.shape.join(),
          () => `its ${name} images are ${set.shape.join('x')}, it says ${source.shape.join('x')}`,
        );
        checkImageSet(set, { name: `${source.name} ${name}`, classes: source.classNames.length });
      }
      promise(
        [...source.test.labels].every((label) => label >= 0),
        () => 'its test set has images without a label',
      );
    },
    async 'holds test and validation images apart from the training set'() {
      const source = await make();
      const all = sets(source).map(([, set]) => set);
      promise(
        new Set(all).size === all.length && new Set(all.map(({ images }) => images)).size === all.length,
        () => 'two of its sets are the same images',
      );
    },
    async 'turns images into tensors in [0, 1], and leaves none behind'() {
      const { train } = await make();
      const take = () => {
        const batch = takeExamples(train, [0, countOf(train) - 1]);
        promiseTensor(batch.images, { what: 'the images', shape: [2, ...train.shape] });
        disposeBatch(batch);
      };
      await promiseNoLeak('taking examples', take);
    },
    async 'gives the same images every time'() {
      const [a, b] = [await make(), await open()];
      sets(a).forEach(([name, set], i) => {
        promiseEqual(sets(b)[i]![1].labels, set.labels, `the ${name} labels read a second time`);
        promiseEqual(contentOf(sets(b)[i]![1]), contentOf(set), `the ${name} images read a second time`);
      });
    },
    async 'cuts epochs into batches of training images'() {
      const source = await make();
      for (const batchSize of [1, 7, countOf(source.train)]) {
        const sampler = samplerOf(source, batchSize);
        const batches = sampler.epoch(createRandom(1, 'shuffling/0'));
        promise(
          batches.length === sampler.batchesPerEpoch && batches.length > 0,
          () => `an epoch has ${batches.length} batches of ${batchSize}; it says ${sampler.batchesPerEpoch}`,
        );
        for (const batch of batches)
          promise(
            batch.length > 0 &&
              batch.length <= batchSize &&
              batch.every((index) => index >= 0 && index < countOf(source.train)),
            () => `a batch of size ${batchSize} holds [${[...batch].slice(0, 8).join(', ')}]`,
          );
      }
    },
    async 'replays an epoch from the state of its generator'() {
      const source = await make();
      const epoch = (purpose: string) =>
        samplerOf(source, 4)
          .epoch(createRandom(1, purpose))
          .flatMap((batch) => [...batch]);
      promiseEqual(epoch('shuffling/0'), epoch('shuffling/0'), 'indices of the same epoch');
      const sampler = samplerOf(source, 4);
      sampler.epoch(createRandom(1, 'shuffling/0'));
      const later = sampler.epoch(createRandom(1, 'shuffling/1')).flatMap((batch) => [...batch]);
      promiseEqual(later, epoch('shuffling/1'), 'indices of epoch 1 after epoch 0 (a resumed run starts with epoch 1)');
    },
  };
  return [...definitionContract(plugin as unknown as Plugin, options), ...contracts(engineOf(options), checks)];
}
