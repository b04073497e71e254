import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from '@jest/globals';
import { createNetwork, createRandom, type ImageShape, type NetworkGraph, type StoredTensor } from '@bulwark/core';
import { bottleneckResnet } from '../architectures/bottleneck-resnet.js';
import { dmPreActResnet } from '../architectures/dm-preact-resnet.js';
import { dmWideResnet } from '../architectures/dm-wide-resnet.js';
import { preActResnet } from '../architectures/preact-resnet.js';
import { resnet } from '../architectures/resnet.js';
import { robustWideResnet } from '../architectures/robust-wide-resnet.js';
import { smallCnn } from '../architectures/small-cnn.js';
import { wideResnet } from '../architectures/wide-resnet.js';
import { architectureHint, identify } from './identify.js';
import { stateDictEntries } from './layout.js';
import { flatten, type FlatTensors } from './tree.js';

const inputShape: ImageShape = [32, 32, 3];
/** Tensors of these shapes, without their values: only names and shapes are looked at. */
const flatOf = (entries: readonly (readonly [string, readonly number[]])[]): FlatTensors => {
  const flat = flatten(new Map());
  for (const [name, shape] of entries)
    flat.tensors.set(name, { dtype: 'F32', shape, data: new Float32Array() } as StoredTensor);
  return flat;
};
const variablesOf = (graph: NetworkGraph) =>
  stateDictEntries(graph)
    .filter(({ kind }) => kind === 'variable')
    .map(({ name, layout }) => [name, layout.shape] as const);

const size = { inputShape, classes: 10 };
const four = [4, 8, 12, 16] as const;
const families: [string, NetworkGraph, object][] = [
  [
    'DM-WRN',
    dmWideResnet({ ...size, channels: four, blocks: [2, 2, 2], activation: 'silu' }),
    { use: 'dm-wide-resnet', channels: four, blocks: [2, 2, 2] },
  ],
  [
    'RaWRN',
    dmWideResnet({ ...size, channels: four, blocks: [3, 2, 1], activation: 'silu', squeeze: 0.25, momentum: 0.01 }),
    { use: 'dm-wide-resnet', channels: four, blocks: [3, 2, 1], squeeze: 0.25 },
  ],
  [
    'MeanSparse',
    dmWideResnet({ ...size, channels: four, blocks: [1, 1, 1], activation: 'silu', sparse: true }),
    { use: 'dm-wide-resnet', channels: four, blocks: [1, 1, 1], sparse: true },
  ],
  [
    'DM-PreActResNet',
    dmPreActResnet({ ...size, width: 4, activation: 'silu' }),
    { use: 'dm-preact-resnet18', width: 4 },
  ],
  [
    'RobustWRN',
    robustWideResnet({ ...size, channels: four, blocks: [1, 2, 1], activation: 'relu', version: 2021 }),
    { use: 'robust-wide-resnet', channels: four, blocks: [1, 2, 1], version: 2021, activation: 'relu' },
  ],
  [
    'WRN-A4',
    robustWideResnet({ ...size, channels: four, blocks: [1, 2, 1], activation: 'silu', version: 2022 }),
    { use: 'robust-wide-resnet', channels: four, blocks: [1, 2, 1], version: 2022, activation: 'silu' },
  ],
  [
    'ResNet-50',
    bottleneckResnet({ ...size, width: 4, blocks: [1, 2, 1, 1] }),
    { use: 'resnet50', width: 4, blocks: [1, 2, 1, 1] },
  ],
  ['ResNet-18', resnet({ ...size, width: 4, blocks: [2, 1] }), { use: 'resnet18', width: 4, blocks: [2, 1] }],
  ['WRN', wideResnet({ ...size, depth: 16, width: 1 }), { use: 'wide-resnet', depth: 16, width: 1 }],
  [
    'PSSiLU',
    wideResnet({ ...size, depth: 10, width: 1, variant: 'ps-silu' }),
    { use: 'wide-resnet', depth: 10, width: 1, variant: 'ps-silu' },
  ],
  [
    'cosines',
    wideResnet({ ...size, depth: 10, width: 1, variant: 'cosine' }),
    { use: 'wide-resnet', depth: 10, width: 1, variant: 'cosine' },
  ],
  [
    'PreActResNet-18',
    preActResnet({ ...size, width: 4, blocks: [1, 1], finalNorm: true, shortcut: 'activated' }),
    { use: 'preact-resnet18', width: 4, blocks: [1, 1], finalNorm: true, shortcut: 'activated' },
  ],
];

describe('an architecture', () => {
  it.each(families)('%s is recognised by names and shapes, behind a prefix, too', (_, graph, architecture) => {
    for (const prefix of ['', 'module.', 'net.model.']) {
      const [best] = identify(flatOf(variablesOf(graph).map(([name, shape]) => [prefix + name, shape])), inputShape);
      expect(best).toMatchObject({ architecture, classes: 10, whole: true });
      expect(Object.keys(best!.architecture).sort()).toEqual(Object.keys(architecture).sort());
    }
  });

  interface FullSize {
    readonly entries?: readonly (readonly [string, readonly number[]])[];
    readonly state_dict?: readonly (readonly [string, readonly number[]])[];
  }
  const { models } = JSON.parse(
    gunzipSync(
      readFileSync(fileURLToPath(new URL('../../fixtures/zoo/state-dicts.json.gz', import.meta.url))),
    ).toString(),
  ) as { models: Record<string, FullSize> };
  it.each([
    ['dmwrn-28-10', { use: 'dm-wide-resnet', channels: [16, 160, 320, 640], blocks: [4, 4, 4] }],
    ['rawrn-70-16', { use: 'dm-wide-resnet', channels: [96, 216, 432, 864], blocks: [30, 31, 10], squeeze: 0.25 }],
    ['dmpreactresnet-18', { use: 'dm-preact-resnet18', width: 64 }],
    ['meansparse-dmwrn-94-16', { use: 'dm-wide-resnet', sparse: true, blocks: [15, 15, 15] }],
    ['robustwrn-34-huang', { use: 'robust-wide-resnet', channels: [16, 320, 640, 512], version: 2021 }],
    ['wrn-a4', { use: 'robust-wide-resnet', channels: [16, 160, 448, 384], version: 2022 }],
    ['pssilu-wrn-28-10', { use: 'wide-resnet', depth: 28, width: 10, variant: 'ps-silu' }],
  ])('%s of full size is recognised in the official state dict', (key, architecture) => {
    const { entries, state_dict: listed = entries } = models[key]!;
    expect(identify(flatOf(listed!), inputShape)[0]).toMatchObject({ architecture, whole: true });
  });

  it('of another file is named with the options that differ, or with what is nearest', () => {
    const made = (graph: NetworkGraph, architecture: object) =>
      Object.assign(createNetwork(graph, { name: 'm', random: createRandom(1) }), { architecture }) as never;
    const small = { ...size, channels: four, blocks: [1, 1, 1], activation: 'silu' } as const;
    const model = made(dmWideResnet(small), { use: 'dm-wide-resnet', channels: four, blocks: [1, 1, 1] });
    const other = flatOf(variablesOf(dmWideResnet({ ...small, blocks: [2, 1, 1], classes: 7 })));
    expect(architectureHint(other, model)).toEqual({
      found: 'it is a dm-wide-resnet with blocks [2,1,1] (the model has blocks [1,1,1]), 7 classes (the model has 10)',
      hint: 'use model: { use: dm-wide-resnet, channels: [4,8,12,16], blocks: [2,1,1] }',
    });
    const cnn = made(smallCnn({ ...size, width: 2 }), { use: 'small-cnn', width: 2 });
    expect(architectureHint(other, cnn)!.found).toMatch(/^it is a dm-wide-resnet with channels/);
    // a ResNet whose author has widened most convolutions
    const strange = flatOf(
      variablesOf(resnet({ ...size, width: 4, blocks: [2, 1] })).map(([name, shape]) => [
        name,
        /conv2|bn/.test(name) ? shape.map((n) => n + 1) : shape,
      ]),
    );
    expect(architectureHint(strange, cnn)!.found).toMatch(
      /^nearest of the built-in architectures: a (pre)?a?c?t?-?resnet18 \(\d+ of its tensors fit\), then a/,
    );
  });
});
