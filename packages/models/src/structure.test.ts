import { describe, expect, it } from '@jest/globals';
import { createRegistry } from '@bulwark/core';
import { graphParameterCount, multiplyAccumulates } from '@bulwark/core/network';
import { smallCnn } from './architectures/small-cnn.js';
import { vgg } from './architectures/vgg.js';
import { wideResnet } from './architectures/wide-resnet.js';
import { readModelGolden } from './golden.js';
import { modelPlugins } from './plugins.js';
import { goldenGraph } from './golden-networks.js';
import { stateDictEntries } from './weights/layout.js';

interface Counts {
  readonly models: readonly {
    readonly model: string;
    readonly params_10: number;
    readonly params_100: number;
    readonly macs_32x32_10: number;
    readonly macs_32x32_100: number;
  }[];
}
// a WRN "as instantiated" holds the unused sub_block1, which we do not allocate
const counts = readModelGolden<Counts>('counts').models.filter(
  ({ model }) => !model.startsWith('wrn') || model.endsWith('_nosubblock'),
);
const stateDicts = readModelGolden<Record<string, [string, number[]][]>>('state-dicts');
const layerShapes = readModelGolden<{ models: Record<string, [string, string, number[]][]> }>('layer_shapes').models;

describe('architectures', () => {
  it.each(counts)('$model has the parameters and operations of the official code for 10 and 100 classes', (row) => {
    for (const classes of [10, 100] as const) {
      const graph = goldenGraph(row.model, classes);
      expect(graphParameterCount(graph)).toBe(row[`params_${classes}`]);
      expect(multiplyAccumulates(graph)).toBe(row[`macs_32x32_${classes}`]);
    }
  });

  it.each(Object.entries(stateDicts))('%s has the state dict of the official code, in order', (model, official) => {
    const ours = stateDictEntries(goldenGraph(model)).map(({ name, layout }) => [name, layout.shape]);
    expect(ours).toEqual(official.filter(([name]) => !name.startsWith('sub_block1')));
  });

  it.each(Object.entries(layerShapes))(
    '%s has the output shapes of the official code at every named layer',
    (model, layers) => {
      const graph = goldenGraph(model);
      const ours = new Map(
        graph.nodes.flatMap((node, id) => ('name' in node ? [[node.name, graph.shapes[id]] as const] : [])),
      );
      const official = layers.filter(([, kind]) => ['Conv2d', 'BatchNorm2d', 'Linear'].includes(kind));
      expect(Object.fromEntries(ours)).toEqual(Object.fromEntries(official.map(([name, , shape]) => [name, shape])));
    },
  );

  it('are all registered under their names', () => {
    const names = createRegistry(modelPlugins)
      .list('model')
      .map(({ name }) => name);
    expect(names).toEqual(
      expect.arrayContaining([
        'resnet18',
        'preact-resnet18',
        'wrn-34-5',
        'wrn-34-10',
        'wrn-28-10',
        'wide-resnet',
        'vgg',
      ]),
    );
  });

  it('the network of the reference study has 24,058 parameters', () => {
    expect(graphParameterCount(goldenGraph('small-cnn'))).toBe(24058);
  });

  it('refuse sizes that cannot be, before any weight is made', () => {
    const size = { inputShape: [28, 28, 1] as const, classes: 10 };
    expect(() => vgg({ ...size, depth: 16, width: 64 })).toThrow(/max-pool turns \[1, 1, 512\] into \[0, 0, 512\]/);
    expect(() => wideResnet({ ...size, depth: 33, width: 2 })).toThrow(
      /model\.depth 33: a Wide ResNet has 6 m \+ 4 layers/,
    );
    const normalize = { mean: [0.5, 0.5, 0.5], std: [1, 1, 1] };
    expect(() => smallCnn({ ...size, width: 4, normalize })).toThrow(
      /normalize\.mean has 3 numbers, images have 1 channels/,
    );
  });
});
