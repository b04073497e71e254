import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import { createNetwork } from '../classifier/index.js';
import { currentSession, registerSession } from '../engine/current.js';
import { useEngine } from '../engine/index.js';
import { createRandom } from '../random.js';
import { eagerExecutor } from './eager.js';
import { networkGraph } from './graph.js';
import { initialVariables, storeOf } from './initialise.js';
import type { Executor, PassRequest } from './pass.js';
import { variableSpecs } from './variables.js';

const graph = networkGraph([6, 6, 3], (build) => {
  const first = build.relu(build.batchNorm('n1', build.conv('c1', build.input, { filters: 5, kernel: 3, bias: true })));
  const second = build.batchNorm('n2', build.conv('c2', first, { filters: 5, kernel: 3 }));
  return build.linear('fc', build.globalAveragePool(build.add(second, first)), { units: 4 });
});

const evaluation: PassRequest = { mode: 'eval', wrt: 'images' };

const noise = (shape: number[], seed: number): tf.Tensor =>
  createRandom(seed, 'test').uniform<tf.Rank.R4>(shape as tf.Tensor4D['shape'], 0.2, 1);

function subject() {
  const variables = initialVariables(graph, createRandom(3));
  [...variables.statistics].forEach(([name, variable], i) => {
    const shift = name.endsWith('mean') ? -0.7 : 0;
    tf.tidy(() => variable.assign(tf.add(tf.reshape(noise([1, 1, 1, variable.size], i), variable.shape), shift)));
  });
  const store = storeOf(variables);
  const executor = (updatesInPlace: boolean): Executor =>
    eagerExecutor({ graph, store, hostMemory: () => true, updatesInPlace: () => updatesInPlace });
  return {
    variables: new Map<string, tf.Variable>([...variables.parameters, ...variables.statistics]),
    keeping: executor(false),
    /** Folds in each pass. */
    forgetting: executor(true),
    images: noise([2, 6, 6, 3], 9) as tf.Tensor4D,
  };
}
type Subject = ReturnType<typeof subject>;

const slope = () => tf.tensor2d([0.3, -1, 0.5, 2, 1, 0.1, -0.7, -0.2], [2, 4]);

/** Logits and the gradient of their weighted sum with respect to the images. */
function numbers(executor: Pick<Executor, 'pass'>, images: tf.Tensor4D): number[] {
  return tf.tidy(() => {
    const pass = executor.pass([images], evaluation);
    const { images: gradients } = pass.pullback([slope()]);
    return [...pass.logits[0]!.dataSync(), ...gradients[0]!.dataSync()];
  });
}

/** How often BatchNorms were folded meanwhile: nothing else in these passes takes a reciprocal root. */
async function folds(compute: () => void): Promise<number> {
  const { kernels } = await tf.profile(() => {
    compute();
    return tf.scalar(0);
  });
  return kernels.filter(({ name }) => name === 'Rsqrt').length;
}

/** The memory of a tensor on wasm itself. */
const heapOf = (tensor: tf.Tensor): Float32Array =>
  (tf.backend() as unknown as { typedArrayFromHeap(of: tf.TensorInfo): Float32Array }).typedArrayFromHeap(tensor);

let made: Subject;
let empty: number;
beforeEach(async () => {
  await useEngine('wasm');
  empty = tf.memory().numTensors;
  made = subject();
});
afterEach(() => {
  made.keeping.dispose();
  made.forgetting.dispose();
  tf.dispose([made.images, ...made.variables.values()]);
});

describe('weights with BatchNorm in them', () => {
  it('are computed once for many passes, which give the same numbers to the last bit', async () => {
    const { keeping, forgetting, images } = made;
    expect(await folds(() => numbers(keeping, images))).toBe(2);
    expect(await folds(() => numbers(keeping, images))).toBe(0);
    expect(await folds(() => numbers(forgetting, images))).toBe(2);
    expect(numbers(keeping, images)).toEqual(numbers(forgetting, images));
  });
  it.each(
    variableSpecs(graph)
      .map(({ name }) => name)
      .filter((name) => !name.startsWith('fc')),
  )('follow %s at once, and back again', (name) => {
    const { keeping, forgetting, images, variables } = made;
    const before = numbers(keeping, images);
    const variable = variables.get(name)!;
    const was = variable.clone();
    tf.tidy(() => variable.assign(tf.add(variable, 0.25)));
    const changed = numbers(keeping, images);
    expect(changed).not.toEqual(before);
    expect(changed).toEqual(numbers(forgetting, images));
    variable.assign(was); // as adversarial weight perturbation does
    expect(numbers(keeping, images)).toEqual(before);
    was.dispose();
  });
  it('stay with a pass that is open while others are made, and after they were freed', () => {
    const { keeping, images } = made;
    const expected = numbers(keeping, images);
    const dLogits = slope();
    const open = keeping.pass([images], evaluation);
    numbers(keeping, images);
    const whole = keeping.pass([images], { mode: 'batch', wrt: 'all' });
    const { images: gradients } = open.pullback([dLogits]);
    expect([...open.logits[0]!.dataSync(), ...gradients[0]!.dataSync()]).toEqual(expected);
    for (const pass of [open, whole]) pass.dispose();
    tf.dispose([dLogits, ...gradients]);
  });
  it('take no more memory from pass to pass, whatever changes', () => {
    const { keeping, images, variables } = made;
    numbers(keeping, images);
    const after = tf.memory().numTensors;
    for (let i = 0; i < 3; i++) {
      numbers(keeping, images);
      tf.tidy(() => variables.get('n1.weight')!.assign(tf.add(variables.get('n1.weight')!, i)));
      numbers(keeping, images);
    }
    expect(tf.memory().numTensors).toBe(after);
  });
  it.each([
    [
      'a pass with gradients of parameters',
      ({ keeping, images }: Subject) => {
        const pass = keeping.pass([images], { mode: 'eval', wrt: 'parameters' });
        pass.dispose();
      },
    ],
    ['dispose', ({ keeping }: Subject) => keeping.dispose()],
  ])('are freed by %s', (_, free) => {
    const { keeping, images } = made;
    const before = tf.memory().numTensors;
    numbers(keeping, images);
    expect(tf.memory().numTensors).toBe(before + 4); // two filters, two biases
    free(made);
    expect(tf.memory().numTensors).toBe(before);
  });
  it('are not kept where variables are updated in place', () => {
    const { forgetting, images, variables } = made;
    const before = tf.memory().numTensors;
    const first = numbers(forgetting, images);
    expect(tf.memory().numTensors).toBe(before);
    heapOf(variables.get('n1.weight')!).fill(3);
    expect(numbers(forgetting, images)).not.toEqual(first);
  });
  it('are not read on another backend', async () => {
    const { keeping, forgetting, images } = made;
    const onWasm = numbers(keeping, images);
    await tf.setBackend('cpu');
    expect(await folds(() => numbers(keeping, images))).toBe(2);
    expect(numbers(keeping, images)).toEqual(numbers(forgetting, images));
    await tf.setBackend('wasm');
    expect(await folds(() => numbers(keeping, images))).toBe(2);
    expect(numbers(keeping, images)).toEqual(onWasm);
  });
});

describe('a network', () => {
  it('frees them when it goes', () => {
    const net = createNetwork(graph, { name: 'test', random: createRandom(3) });
    numbers(net, made.images);
    net.dispose();
    tf.dispose([made.images, ...made.variables.values()]);
    expect(tf.memory().numTensors).toBe(empty);
  });
  it('keeps none on an engine with updates of its own', () => {
    const session = currentSession()!;
    const net = createNetwork(graph, { name: 'test', random: createRandom(3) });
    const before = tf.memory().numTensors;
    try {
      registerSession({ ...session, updates: {} as never });
      numbers(net, made.images);
      expect(tf.memory().numTensors).toBe(before);
    } finally {
      registerSession(session);
    }
    numbers(net, made.images);
    expect(tf.memory().numTensors).toBe(before + 4);
    net.dispose();
  });
});
