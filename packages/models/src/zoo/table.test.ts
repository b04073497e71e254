import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from '@jest/globals';
import type { NetworkGraph } from '@bulwark/core';
import { bottleneckResnet } from '../architectures/bottleneck-resnet.js';
import { dmPreActResnet } from '../architectures/dm-preact-resnet.js';
import { dmWideResnet } from '../architectures/dm-wide-resnet.js';
import { preActResnet } from '../architectures/preact-resnet.js';
import { resnet } from '../architectures/resnet.js';
import { robustWideResnet } from '../architectures/robust-wide-resnet.js';
import { wideResnet } from '../architectures/wide-resnet.js';
import { modelPlugins } from '../plugins.js';
import { stateDictEntries } from '../weights/layout.js';
import { findZooEntry, whyNotInZoo, zooArchitecture, zooEntries, zooFile, zooPath } from './table.js';

const graphs = {
  'wide-resnet': wideResnet,
  'dm-wide-resnet': dmWideResnet,
  'dm-preact-resnet18': dmPreActResnet,
  'robust-wide-resnet': robustWideResnet,
  'preact-resnet18': preActResnet,
  resnet18: resnet,
  resnet50: bottleneckResnet,
} as Readonly<Record<string, (options: never) => NetworkGraph>>;

/** The graph of an entry at full size: what the plugin makes of its section. */
const graphOf = (name: string): NetworkGraph => {
  const { use, ...given } = zooArchitecture(findZooEntry(name));
  const options = modelPlugins.find((plugin) => plugin.name === use)!.options.parse(given);
  return graphs[use]!({ inputShape: [32, 32, 3], classes: 10, ...options } as never);
};

interface FullSize {
  readonly entries?: readonly (readonly [string, readonly number[]])[];
  readonly state_dict?: readonly (readonly [string, readonly number[]])[];
}
const official = JSON.parse(
  gunzipSync(
    readFileSync(fileURLToPath(new URL('../../fixtures/zoo/state-dicts.json.gz', import.meta.url))),
  ).toString(),
) as { models: Record<string, FullSize> };

describe('the table of published models', () => {
  it.each([
    ['dmwrn-28-10', 'Wang2023Better_WRN-28-10'],
    ['dmwrn-70-16', 'Wang2023Better_WRN-70-16'],
    ['rawrn-70-16', 'Peng2023Robust'],
    ['dmpreactresnet-18', 'Rebuffi2021Fixing_R18_ddpm'],
    ['meansparse-dmwrn-94-16', 'Amini2024MeanSparse_S-WRN-94-16'],
    ['robustwrn-34-huang', 'Huang2021Exploring'],
    ['wrn-a4', 'Huang2022Revisiting_WRN-A4'],
    ['pssilu-wrn-28-10', 'Dai2021Parameterizing'],
  ])('builds %s with the names and shapes of the official state dict', (key, id) => {
    const { entries, state_dict: listed = entries } = official.models[key]!;
    const unused = /(?:num_batches_tracked|batch_num|flag_update_statistics)$|^(?:mu|sigma)$|.\.activation\./;
    const theirs = listed!.filter(([name]) => !unused.test(name)).map(([name, shape]) => `${name} [${shape}]`);
    const ours = stateDictEntries(graphOf(id))
      .filter(({ kind }) => kind === 'variable')
      .map(({ name, layout }) => `${name} [${layout.shape}]`);
    expect(ours.toSorted()).toEqual(theirs.toSorted());
  });

  it('can build 68 of the 76 CIFAR-10 Linf models, 26 of the best 30; of the others it says why not', () => {
    const linf = zooEntries().filter(({ dataset, threat }) => dataset === 'cifar10' && threat === 'Linf');
    const built = linf.filter((entry) => whyNotInZoo(entry) === undefined);
    expect([linf.length, built.length, built.filter(({ rank }) => rank <= 30).length]).toEqual([76, 68, 26]);
    expect(zooEntries()).toHaveLength(135);
    expect(new Set(zooEntries().map(zooPath)).size).toBe(135);
    for (const entry of zooEntries()) {
      if (whyNotInZoo(entry) !== undefined) expect(() => zooArchitecture(entry)).toThrow(/cannot be built/);
      else expect(Object.keys(graphs)).toContain(zooArchitecture(entry).use);
    }
  });

  it('finds a model by its id alone or with data set and threat, and suggests the nearest', () => {
    expect(zooPath(findZooEntry('Wang2023Better_WRN-28-10'))).toBe('cifar10/Linf/Wang2023Better_WRN-28-10');
    const far = findZooEntry('cifar100/Linf/Wang2023Better_WRN-28-10');
    expect([far.dataset, zooFile(far)]).toEqual(['cifar100', 'models/cifar100/Linf/Wang2023Better_WRN-28-10.pt']);
    expect(() => findZooEntry('Wang2023Better_WRN-28-11')).toThrow(
      expect.objectContaining({ code: 'USAGE', hint: 'did you mean Wang2023Better_WRN-28-10?' }),
    );
  });
});
