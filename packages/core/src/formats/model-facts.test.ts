import { describe, expect, it } from '@jest/globals';
import { factDifferences, factsFromMetadata, factsKey, factsToMetadata, type ModelFacts } from './model-facts.js';

const facts: ModelFacts = {
  architecture: { use: 'preact-resnet18', width: 64, blocks: [2, 2, 2, 2], finalNorm: true, shortcut: 'raw' },
  inputShape: [32, 32, 3],
  normalize: { mean: [0.4914, 0.4822, 0.4465], std: [0.2471, 0.2435, 0.2616] },
  classes: 10,
  classNames: ['airplane', 'ship'],
  threat: { norm: 'linf', epsilon: 8 / 255 },
  data: 'cifar10',
  objective: 'trades',
  fingerprint: '00ff',
};
const read = (value: unknown) => factsFromMetadata({ [factsKey]: JSON.stringify(value) }, 'model.safetensors');

describe('the facts of a model', () => {
  it('come back from the metadata of a file as they were written', () => {
    expect(factsFromMetadata({ format: 'pt', ...factsToMetadata(facts) })).toEqual(facts);
  });

  it('are absent in a file of another tool, not refused', () => {
    expect(factsFromMetadata({ format: 'pt' })).toBeUndefined();
  });

  it.each([
    ['no JSON', { [factsKey]: '{' }, /is not JSON/],
    ['no object', { [factsKey]: 'null' }, /the whole/],
    [
      'a mean without a standard deviation',
      { [factsKey]: JSON.stringify({ version: 1, ...facts, normalize: { mean: [0] } }) },
      /normalize\.std/,
    ],
    ['a newer version', { [factsKey]: JSON.stringify({ ...facts, version: 2 }) }, /version 2; this Bulwark reads 1/],
  ])('are refused if they are %s', (_, metadata, message) => {
    expect(() => factsFromMetadata(metadata, 'model.safetensors')).toThrow(
      expect.objectContaining({ code: 'WEIGHTS_INVALID', message: expect.stringMatching(message) }),
    );
  });

  it('may have more than this version knows, as long as the version is its own', () => {
    expect(read({ version: 1, ...facts, colour: 'blue' })).toEqual(facts);
  });
});

describe('the differences of two descriptions', () => {
  const differing = (changes: Partial<ModelFacts>) => factDifferences(facts, { ...facts, ...changes });
  const architecture = facts.architecture!;

  it('are none where the same is said, to the precision of float32', () => {
    const normalize = { mean: [...facts.normalize!.mean], std: facts.normalize!.std.map(Math.fround) };
    expect(differing({ normalize, fingerprint: 'other', data: 'cifar100' })).toEqual([]);
  });

  it('name every option that changes the function without changing a tensor', () => {
    expect(differing({ normalize: null })).toEqual([{ what: 'normalize', file: facts.normalize, model: null }]);
    expect(differing({ architecture: { ...architecture, shortcut: 'activated', blocks: [2, 2, 2, 3] } })).toEqual([
      { what: 'blocks', file: [2, 2, 2, 2], model: [2, 2, 2, 3] },
      { what: 'shortcut', file: 'raw', model: 'activated' },
    ]);
    expect(differing({ inputShape: [28, 28, 3], classes: 9 }).map(({ what }) => what)).toEqual([
      'inputShape',
      'classes',
    ]);
  });

  it('are not looked for in options of another architecture, nor in what one side does not know', () => {
    expect(differing({ architecture: { use: 'resnet18', width: 3 } })).toEqual([
      { what: 'architecture', file: 'preact-resnet18', model: 'resnet18' },
    ]);
    expect(differing({ architecture: undefined, normalize: undefined })).toEqual([]);
    expect(differing({ architecture: { ...architecture, weights: 'start.pt', groups: 1 } })).toEqual([]);
  });
});
