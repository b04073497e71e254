import { afterEach, beforeAll, expect, it } from '@jest/globals';
import * as tf from '@tensorflow/tfjs-core';
import { useEngine } from '../engine/index.js';
import { registerSession } from '../engine/current.js';
import type { EngineSession } from '../engine/index.js';
import { networkGraph, type Executor } from '../network/index.js';
import { createRandom } from '../random.js';
import { createNetwork, logitsOf } from './index.js';

const plain: EngineSession = {
  ...{
    backend: 'cpu',
    description: 'for this test',
    device: 'CPU',
    dtypes: ['float32'],
    hostMemory: true,
    remarks: [],
  },
};
beforeAll(() => useEngine('cpu'));
afterEach(() => registerSession(plain));

const graph = networkGraph([2, 2, 1], (g) => g.linear('fc', g.flatten(g.input), { units: 3 }));
const make = () => createNetwork(graph, { name: 'linear', random: createRandom(1) });

it('an engine that cannot prepare a network leaves its passes to go op by op, and the network says why', async () => {
  const images = createRandom(2).normal([4, 2, 2, 1]) as tf.Tensor4D;
  const model = make();
  const expected = await logitsOf(model, images).data();
  expect(model.opByOpBecause()).toBeUndefined();
  let asked = 0;
  const prepare = (): Executor => {
    asked++;
    throw new Error('no kernel for this op');
  };
  registerSession({ ...plain, prepare });
  for (let i = 0; i < 3; i++) expect(await logitsOf(model, images).data()).toEqual(expected);
  expect(model.opByOpBecause()).toBe('no kernel for this op');
  expect(asked).toBe(1);
  model.dispose();
});

it('passes go to the engine that is current, which is asked once per network and freed with it', () => {
  const images = tf.zeros([4, 2, 2, 1]) as tf.Tensor4D;
  const [first, second] = [make(), make()];
  const seen: string[] = [];
  const session = (name: string): EngineSession => ({
    ...plain,
    prepare: ({ eager, store }) => {
      expect(store.parameters).toEqual(['fc.weight', 'fc.bias']);
      return {
        dtypes: ['float32'],
        pass: (given, request) => (seen.push(`${name} ${request.wrt}`), eager.pass(given, request)),
        dispose: () => void seen.push(`${name} freed`),
      };
    },
  });
  registerSession(session('a'));
  logitsOf(first, images);
  logitsOf(second, images);
  registerSession(session('b'));
  logitsOf(first, images);
  first.dispose();
  second.dispose();
  expect(seen).toEqual(['a nothing', 'a nothing', 'a freed', 'b nothing', 'b freed', 'a freed']);
});
