import * as tf from '../tensor/index.js';
import { disposeBatch } from '../batch.js';
import { classifierWith, createNetwork, logitsOf, type Classifier } from '../classifier/index.js';
import { networkGraph } from '../network/index.js';
import type { AttackContext } from '../hooks/index.js';
import type { Plugin } from '../plugins/index.js';
import { createRandom } from '../random.js';
import { contracts, numbers, promise, promiseEqual, promiseNoLeak, type Contract } from './contract.js';
import { promiseInBall, valuesOf } from './craft.js';
import {
  engineOf,
  fixtureBatch,
  fixtureNetwork,
  imageShape,
  makePlugin,
  threatOf,
  type ContractOptions,
} from './fixture.js';
import { definitionContract } from './plugin-contract.js';

/** What an attack is tried with. */
export interface AttackContractOptions extends ContractOptions {
  /** It is too weak to break a linear model within twice the distance that needs; default false. */
  readonly weak?: boolean;
}

/** The same model, in which every pass must be in `eval` mode. */
const evalOnly = (model: Classifier): Classifier =>
  classifierWith(model, {
    pass(images, request) {
      const { mode } = request;
      promise(mode === 'eval', () => `the attack runs the model in ${mode} mode; an evaluated model is in eval mode`);
      return model.pass(images, request);
    },
  });

/** Five classes on a grey image: logit k grows with the brightness of its stripe, so the nearest boundary is known. */
function linearModel(): Classifier {
  const [height, width, channels] = imageShape;
  const classes = 5;
  const graph = networkGraph([...imageShape], (g) => g.linear('fc', g.flatten(g.input), { units: classes }));
  const model = createNetwork(graph, { name: 'linear', random: createRandom(0) });
  const size = height * width * channels;
  const kernel = Float32Array.from({ length: size * classes }, (_, i) =>
    Math.floor(i / classes) % classes === i % classes ? 0.5 : 0,
  );
  tf.tidy(() => {
    model.parameters.get('fc.weight')!.assign(tf.tensor2d(kernel, [size, classes]));
    model.parameters.get('fc.bias')!.assign(tf.zeros([classes]));
  });
  return model;
}

/** What an attack promises: candidates in the ball, from the given generator, and a model left as it was. */
export function attackContract(plugin: Plugin<'attack'>, options: AttackContractOptions = {}): Contract[] {
  const threat = threatOf(options);
  const make = () => makePlugin(plugin, options);
  const attack = async (more: Partial<AttackContext> & { labels?: readonly number[]; images?: tf.Tensor4D } = {}) => {
    const { labels, images, ...context } = more;
    const model = more.model ?? fixtureNetwork();
    const batch = fixtureBatch(labels);
    const inputs = images ?? batch.images;
    const made = make();
    const found = await made.run(inputs, batch.labels, {
      threat,
      random: createRandom(23, 'evaluation'),
      ...context,
      model: evalOnly(model),
    });
    const values = numbers(found);
    promiseInBall(found, {
      what: 'a candidate',
      images: inputs,
      threat: context.threat ?? threat,
      anywhere: made.minimumNorm,
    });
    found.dispose();
    disposeBatch(batch);
    if (!more.model) model.dispose();
    return values;
  };

  const checks = {
    'has a label'() {
      promise(make().label.length > 0, () => 'its label is empty');
    },
    async 'gives candidates of the batch, finite, in [0, 1] and in the ball'() {
      await attack();
      await attack({ labels: [1] });
    },
    async 'leaves images, weights and running statistics alone'() {
      const model = fixtureNetwork();
      const batch = fixtureBatch();
      const images = numbers(batch.images);
      const before = [...valuesOf(model.parameters), ...valuesOf(model.statistics)];
      const found = await make().run(batch.images, batch.labels, {
        model: evalOnly(model),
        threat,
        random: createRandom(23),
      });
      found.dispose();
      promiseEqual(numbers(batch.images), images, 'the images after the attack');
      promiseEqual(
        [...valuesOf(model.parameters), ...valuesOf(model.statistics)],
        before,
        'the model after the attack',
      );
      disposeBatch(batch);
      model.dispose();
    },
    async 'returns the images where epsilon is 0'() {
      await attack({ threat: { ...threat, epsilon: 0 } });
    },
    async 'finds the same candidates from the same generator'() {
      promiseEqual(await attack(), await attack(), 'candidates of a second attack');
    },
    async 'leaves no tensor behind'() {
      await promiseNoLeak('the attack', () => attack().then(() => undefined));
    },
    async 'reports its progress as shares of 1'() {
      const shares: number[] = [];
      await attack({ progress: (share) => void shares.push(share) });
      promise(
        shares.every((share) => share >= 0 && share <= 1),
        () => `progress is reported as ${shares.join(', ')}`,
      );
    },
    async 'breaks a linear model well beyond its distance to the boundary'() {
      if (options.weak) return;
      const model = linearModel();
      // the stripe of the own class is brighter by 0.1: half of that closes the gap in the maximum norm
      const labels = [0, 1, 2, 3, 4, 0];
      const [height, width] = imageShape;
      const pixels = labels.flatMap((label) =>
        Array.from({ length: height * width }, (_, p) => (p % 5 === label ? 0.55 : 0.45)),
      );
      const images = tf.tensor4d(pixels, [labels.length, ...imageShape]);
      const ball = 0.1 * threat.norm.ofOnes(26);
      const found = await attack({ model, labels, images, threat: { ...threat, epsilon: ball } });
      const predicted = tf.tidy(() =>
        numbers(tf.argMax(logitsOf(model, tf.tensor4d(found, [labels.length, ...imageShape])), 1)),
      );
      const unbroken = predicted.filter((label, i) => label === labels[i]).length;
      images.dispose();
      model.dispose();
      promise(
        unbroken === 0,
        () => `${unbroken} of ${labels.length} examples of a linear model stand at twice the distance that breaks them`,
      );
    },
  };
  return [...definitionContract(plugin as unknown as Plugin, options), ...contracts(engineOf(options), checks)];
}
