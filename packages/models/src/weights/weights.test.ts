import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import * as tf from '@tensorflow/tfjs-core';
import {
  logitsOf,
  createNetwork,
  createRandom,
  networkGraph,
  useEngine,
  type Network,
  type StoredTensor,
} from '@bulwark/core';
import { fingerprintModelSync } from '@bulwark/core/evaluation';
import { factsFromMetadata, readSafetensors, writeSafetensors } from '@bulwark/core/formats';
import { mlp } from '../architectures/mlp.js';
import { goldenWeights } from '../golden.js';
import { goldenNetwork } from '../golden-networks.js';
import { loadStateDict, loadWeights } from './load.js';
import { readWeightsFile } from './read.js';
import { encodeWeights, saveWeights } from './save.js';
import { toStateDict } from './state-dict.js';

beforeAll(() => useEngine('wasm'));

const folder = mkdtempSync(join(tmpdir(), 'bulwark-weights-'));
afterAll(() => rmSync(folder, { recursive: true }));

const torchFile = (name: string) => fileURLToPath(new URL(`../../fixtures/torch/${name}`, import.meta.url));
const reference = JSON.parse(readFileSync(torchFile('logits.json'), 'utf8')) as { x: number[]; logits: number[][] };

/** The PyTorch module of the fixtures: its linear layer reads a flattened 4x4 image of two channels. */
const flattening = () =>
  createNetwork(
    networkGraph([4, 4, 1], (g) => {
      const x = g.relu(g.batchNorm('bn1', g.conv('conv1', g.input, { filters: 2, kernel: 3 })));
      return g.linear('fc', g.flatten(x), { units: 3 });
    }),
    { name: 'flattening', random: createRandom(0) },
  );

const wrn = () => {
  const network = goldenNetwork('wrn-10-1');
  loadWeights(network, goldenWeights('wrn-10-1'));
  return network;
};
const values = (network: Network) =>
  new Map(
    [...network.parameters, ...network.statistics].map(([name, variable]) => [name, variable.dataSync().slice()]),
  );
const largestLogitError = (network: Network) => {
  const logits = logitsOf(network, tf.tensor4d(reference.x, [2, 4, 4, 1])).dataSync();
  return Math.max(...reference.logits.flat().map((value, i) => Math.abs(value - logits[i]!)));
};
/** The refusal of a file, which must leave the network as it was. */
const refusal = (network: Network, source: string | Uint8Array) => {
  const before = values(network);
  try {
    loadWeights(network, source);
  } catch (error) {
    expect(values(network)).toEqual(before);
    return `${(error as { code: string }).code} ${(error as Error).message} / ${(error as { hint: string }).hint}`;
  }
  return 'accepted';
};
const changed = (change: (tensors: Map<string, StoredTensor>) => void) => {
  const tensors = toStateDict(flattening());
  change(tensors);
  return writeSafetensors(tensors);
};

describe('PyTorch checkpoints', () => {
  it.each([
    ['a state dict', 'plain.pt', 1e-6],
    ['a training checkpoint of DataParallel, with optimizer state and numpy numbers', 'wrapped.pth', 1e-6],
    ['parameters behind model.', 'parameter.pt', 1e-6],
    ['half precision', 'half.pt', 2e-3],
    ['channels-last memory', 'channels_last.pt', 1e-6],
    ['a pickled module, whose class nobody needs', 'module.pt', 1e-6],
    ['command-line arguments beside the weights', 'namespace.pt', 1e-6],
    ['the form before PyTorch 1.6', 'legacy.pt', 1e-6],
  ])('loads %s', (_, file, tolerance) => {
    const network = flattening();
    loadWeights(network, torchFile(file));
    expect(largestLogitError(network)).toBeLessThan(tolerance);
  });

  it.each([['one number that claims to be a million', 'expanded.pt', /larger than its storage of 1/]])(
    'refuses %s',
    (_, file, message) => {
      expect(refusal(flattening(), torchFile(file))).toMatch(/^WEIGHTS_INVALID/);
      expect(refusal(flattening(), torchFile(file))).toMatch(message);
    },
  );

  it('refuses every truncation', () => {
    const bytes = new Uint8Array(readFileSync(torchFile('plain.pt')));
    for (let length = 0; length < bytes.length; length += 97)
      expect(refusal(flattening(), bytes.slice(0, length))).toMatch(/^WEIGHTS_INVALID/);
  });
});

describe('weights', () => {
  // the first bytes of a JSON index, of a zip and of pickles of protocols 2 to 5
  it.each([0x7b, 0x4b50, 0x280, 0x380, 0x480, 0x580])(
    'takes a safetensors header of %i bytes for what it is',
    (length) => {
      const entry = JSON.stringify({ w: { dtype: 'F32', shape: [1], data_offsets: [0, 4] } });
      const header = Buffer.from(entry.padEnd(length));
      const file = Buffer.concat([Buffer.alloc(8), header, Buffer.from(Float32Array.of(2).buffer)]);
      file.writeBigUInt64LE(BigInt(length));
      expect([...readWeightsFile(file).tensors.get('w')!.data]).toEqual([2]);
    },
  );
  it('survive a round trip through a file bit for bit, with the names and text that PyTorch expects', () => {
    const network = wrn();
    const path = join(folder, 'wrn.safetensors');
    saveWeights(network, path, { objective: 'st' });
    const other = goldenNetwork('wrn-10-1');
    loadWeights(other, path);
    expect(values(other)).toEqual(values(network));
    const { tensors, metadata } = readSafetensors(readFileSync(path));
    expect(metadata).toMatchObject({ format: 'pt' });
    expect(factsFromMetadata(metadata)).toEqual({
      inputShape: [32, 32, 3],
      normalize: null,
      classes: 10,
      objective: 'st',
      fingerprint: fingerprintModelSync(network),
    });
    expect(tensors.get('block1.layer.0.bn1.num_batches_tracked')).toEqual({
      dtype: 'I64',
      shape: [],
      data: BigInt64Array.of(0n),
    });
  });

  it('of the official code are written back as they were read, without the unused sub_block1', () => {
    for (const [name, model] of [
      ['wrn-10-1', 'wrn-10-1'],
      ['fmnist-small-trades', 'small-cnn'],
    ] as const) {
      const network = goldenNetwork(model);
      loadWeights(network, goldenWeights(name));
      const ours = readSafetensors(encodeWeights(network)).tensors;
      const official = [...readSafetensors(readFileSync(goldenWeights(name))).tensors].filter(
        ([key]) => !key.startsWith('sub_block1') && !key.endsWith('num_batches_tracked'),
      );
      expect([...ours].filter(([key]) => !key.endsWith('num_batches_tracked'))).toEqual(official);
    }
  });

  it('of an MLP have inputs in the order of PyTorch, channel by channel', () => {
    const network = createNetwork(mlp({ inputShape: [2, 2, 3], classes: 2, width: 4, depth: 1 }), {
      name: 'mlp',
      random: createRandom(0),
    });
    const ours = network.parameters.get('fc1.weight')!.dataSync();
    const theirs = toStateDict(network).get('fc1.weight')!;
    expect(theirs.shape).toEqual([4, 12]);
    // unit 3, channel 2, row 1, column 0
    expect(theirs.data[3 * 12 + 2 * 4 + 2]).toBe(ours[(2 * 3 + 2) * 4 + 3]);
  });

  it('come in shards with an index', () => {
    const network = wrn();
    const all = [...toStateDict(network)];
    const shards = { 'w-1.safetensors': all.slice(0, 20), 'w-2.safetensors': all.slice(20) };
    const map: Record<string, string> = {};
    for (const [name, part] of Object.entries(shards)) {
      writeFileSync(join(folder, name), writeSafetensors(new Map(part)));
      for (const [key] of part) map[key] = name;
    }
    const index = join(folder, 'w.safetensors.index.json');
    writeFileSync(index, JSON.stringify({ metadata: {}, weight_map: map }));
    const other = goldenNetwork('wrn-10-1');
    loadWeights(other, index);
    expect(values(other)).toEqual(values(network));

    const { [all[0]![0]]: _, ...without } = map;
    writeFileSync(index, JSON.stringify({ weight_map: without }));
    expect(refusal(other, index)).toMatch(/holds conv1\.weight, which the index does not name/);
    writeFileSync(index, JSON.stringify({ weight_map: { a: '../../etc/passwd' } }));
    expect(refusal(other, index)).toMatch(/not the name of a \.safetensors file beside the index/);
    writeFileSync(index, JSON.stringify({ weight_map: { ...map, more: 'w-1.safetensors' } }));
    expect(refusal(other, index)).toMatch(/does not hold more/);
  });

  it('that do not fit are listed with the nearest names, and change nothing', () => {
    const network = flattening();
    const renamed = changed((tensors) => {
      tensors.set('bn_1.weight', tensors.get('bn1.weight')!);
      tensors.delete('bn1.weight');
    });
    expect(refusal(network, renamed)).toMatch(
      /1 missing tensor: bn1\.weight \(nearest: bn_1\.weight\); 1 extra tensor: bn_1\.weight \(nearest: bn1\.weight\)/,
    );
    const misshapen = changed((tensors) => {
      tensors.set('conv1.weight', { dtype: 'F32', shape: [2, 1, 1, 9], data: new Float32Array(18) });
    });
    expect(refusal(network, misshapen)).toMatch(
      /1 misshapen tensor: conv1\.weight is \[2, 1, 1, 9\], the model needs \[2, 1, 3, 3\]/,
    );
    const integers = changed((tensors) => {
      tensors.set('bn1.bias', { dtype: 'I32', shape: [2], data: new Int32Array(2) });
    });
    expect(refusal(network, integers)).toMatch(/bn1\.bias is I32, not F32/);
    expect(refusal(network, join(folder, 'nowhere.pt'))).toMatch(/cannot read/);
  });

  it('of another number of classes say so', () => {
    expect(refusal(goldenNetwork('wrn-10-1', 100), goldenWeights('wrn-10-1'))).toMatch(
      /has 10 classes, the model wrn-10-1 has 100/,
    );
  });

  it('with input normalisation beside the network need the same numbers in the model', () => {
    const tensors = new Map([...toStateDict(flattening())].map(([name, tensor]) => [`model.${name}`, tensor]));
    tensors.set('mean', { dtype: 'F32', shape: [1, 1, 1], data: Float32Array.of(0.25) });
    tensors.set('std', { dtype: 'F32', shape: [1, 1, 1], data: Float32Array.of(1) });
    expect(refusal(flattening(), writeSafetensors(tensors))).toMatch(
      /normalises its input by mean and std: mean \[0\.25\], std \[1\]; the model by nothing \/ set model\.normalize/,
    );
    const normalising = createNetwork(
      networkGraph([4, 4, 1], (g) => {
        const x = g.normalize(g.input, { mean: [0.25], std: [1] });
        const y = g.relu(g.batchNorm('bn1', g.conv('conv1', x, { filters: 2, kernel: 3 })));
        return g.linear('fc', g.flatten(y), { units: 3 });
      }),
      { name: 'normalising', random: createRandom(0) },
    );
    loadStateDict(normalising, tensors);
  });
});
