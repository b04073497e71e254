import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from '@jest/globals';
import {
  createNetwork,
  createRandom,
  factsOf,
  useEngine,
  type ArchitectureSpec,
  type Network,
  type StoredTensor,
} from '@bulwark/core';
import { writeSafetensors } from '@bulwark/core/formats';
import { encodeCheckpoint } from '@bulwark/core/run';
import { expectInDocs, formsTable } from '../../../core/test/docs-table.js';
import { smallCnn } from '../architectures/small-cnn.js';
import { Instance, Name, torchFile } from '../testing/torch-file.js';
import { loadWeights, type LoadOptions } from './load.js';
import { readWeightsFile } from './read.js';
import { encodeWeights } from './save.js';
import { toStateDict } from './state-dict.js';

beforeAll(() => useEngine('cpu'));

const normalize = { mean: [0.5], std: [0.25] };
const make = (seed: number, options: { normalize?: typeof normalize; width?: number } = {}): Network => {
  const architecture: ArchitectureSpec = { use: 'small-cnn', width: 2, ...options };
  const graph = smallCnn({ inputShape: [8, 8, 1], classes: 3, width: 2, ...options });
  return createNetwork(graph, { name: 'small-cnn', architecture, random: createRandom(seed) });
};
type Tensors = Map<string, StoredTensor>;
const right = () => toStateDict(make(1)) as Tensors;
const other = () => toStateDict(make(2)) as Tensors;
const dict = (entries: Record<string, unknown>) => new Map(Object.entries(entries));
const under = (prefix: string, tensors: Tensors): Map<string, unknown> =>
  new Map([...tensors].map(([name, tensor]) => [prefix + name, tensor]));
const both = (...maps: Map<string, unknown>[]) => new Map(maps.flatMap((map) => [...map]));
const vector = (...values: number[]): StoredTensor => ({
  dtype: 'F32',
  shape: [values.length],
  data: Float32Array.from(values),
});
const scalar = (value: bigint): StoredTensor => ({ dtype: 'I64', shape: [], data: BigInt64Array.of(value) });
const without = (name: string) => {
  const tensors = right();
  tensors.delete(name);
  return tensors;
};
/** A pickled module: its class is unknown, its parts are not. */
const moduleOf = (tensors: Tensors): Instance => {
  const children = new Map<string, Map<string, StoredTensor>>();
  for (const [name, tensor] of tensors) {
    const [child, part] = name.split('.') as [string, string];
    children.set(child, (children.get(child) ?? new Map()).set(part, tensor));
  }
  const modules = [...children].map(
    ([name, parts]) =>
      [
        name,
        new Instance('torch.nn Layer', { state: dict({ training: true, _parameters: parts, _modules: new Map() }) }),
      ] as const,
  );
  return new Instance('mine.models Net', { state: dict({ _parameters: new Map(), _modules: new Map(modules) }) });
};
/** A safetensors file whose header has this many bytes. */
const withHeader = (length: number) => {
  const room = (size: number) => writeSafetensors(right(), { format: 'pt', pad: ' '.repeat(size) });
  const headerOf = (bytes: Uint8Array) => new DataView(bytes.buffer).getUint32(0, true);
  return room(length - headerOf(room(0)));
};
const checkpoint = (average: boolean) => {
  const network = make(1);
  const tensors = new Map<string, { shape: readonly number[]; data: Float32Array }>();
  const state = (from: Network, group: string) => {
    for (const [name, variable] of [...from.parameters])
      tensors.set(`${group}model/${name}`, { shape: variable.shape, data: variable.dataSync() as Float32Array });
    for (const [name, variable] of [...from.statistics])
      tensors.set(`${group}statistics/${name}`, { shape: variable.shape, data: variable.dataSync() as Float32Array });
  };
  state(average ? make(2) : network, '');
  if (average) state(network, 'average/');
  tensors.set('optimizer/velocity/conv1.weight', { shape: [1], data: Float32Array.of(1) });
  const position = {
    version: 2,
    seed: 1,
    epoch: 1,
    step: 0,
    steps: 1,
    epochSums: { examples: 0, sums: {} },
    history: [],
  };
  return encodeCheckpoint({
    state: { ...position, learningRateScale: 1, rollbacks: 0 },
    tensors,
    facts: factsOf(network),
  });
};

interface Form {
  /** A row of the table in docs/weights.md. */
  readonly what: string;
  readonly file: () => Uint8Array;
  readonly options?: LoadOptions;
  /** The network to load into. */
  readonly into?: () => Network;
  /** What the refusal must say; absent: it loads. */
  readonly refused?: RegExp;
}

const section = (title: string, forms: readonly Form[]) => ({ title, forms });

const sections = [
  section('Where the network may be', [
    { what: 'a state dict', file: () => torchFile(right()) },
    { what: 'safetensors', file: () => writeSafetensors(right()) },
    ...[66_176, 19_280].map((length) => ({
      what: `safetensors with a header of ${length} bytes, which begins as a pickle or zip does`,
      file: () => withHeader(length),
    })),
    { what: 'a checkpoint of a run of ours', file: () => checkpoint(false) },
    { what: 'a checkpoint of a run that averages: the average', file: () => checkpoint(true) },
    ...['state_dict', 'model_state_dict', 'model', 'net', 'ema', 'last', 'best', 'ckpt', 'anything_else'].map(
      (key) => ({
        what: `under \`${key}\`, beside epoch and optimizer`,
        file: () =>
          torchFile(
            dict({
              epoch: 3,
              [key]: right(),
              optimizer: dict({ state: dict({ 0: dict({ momentum: vector(1, 2) }) }) }),
            }),
          ),
      }),
    ),
    { what: 'in a list: `(state_dict, epoch)`', file: () => torchFile([right(), 7]) },
    { what: 'five levels deep', file: () => torchFile(dict({ a: dict({ b: [dict({ c: dict({ d: right() }) })] }) })) },
    ...[
      'module.',
      'model.',
      'module.model.',
      '_orig_mod.',
      '_orig_mod.module.',
      '0.',
      'net.backbone.',
      'basic_net.',
    ].map((prefix) => ({
      what: `behind \`${prefix}\``,
      file: () => torchFile(under(prefix, right())),
    })),
    {
      what: '`AveragedModel`: `n_averaged` beside `module.`',
      file: () => torchFile(both(under('module.', right()), dict({ n_averaged: scalar(5n) }))),
    },
    {
      what: "MadryLab's `robustness`: model, attacker and normalizer",
      file: () =>
        torchFile(
          dict({
            model: both(
              under('module.model.', right()),
              under('module.attacker.model.', right()),
              dict({
                'module.normalizer.new_mean': vector(0.5),
                'module.normalizer.new_std': vector(0.25),
                'module.attacker.normalize.new_mean': vector(0.5),
                'module.attacker.normalize.new_std': vector(0.25),
              }),
            ),
          }),
        ),
      into: () => make(3, { normalize }),
    },
    {
      what: "MAIR's `save_dict`: `n_classes`, `mean`, `std` in `rmodel`",
      file: () =>
        torchFile(
          dict({
            rmodel: both(
              dict({ n_classes: scalar(3n), mean: vector(0.5), std: vector(0.25) }),
              under('model.', right()),
            ),
          }),
        ),
      into: () => make(3, { normalize }),
    },
    { what: 'a pickled module (`torch.save(model)`)', file: () => torchFile(moduleOf(right())) },
    { what: 'a pickled module inside a checkpoint', file: () => torchFile(dict({ epoch: 1, net: moduleOf(right()) })) },
    { what: 'two copies with equal values', file: () => torchFile(dict({ model: right(), ema: right() })) },
  ]),
  section('What may lie beside it', [
    {
      what: '`MultiStepLR` (a `Counter`)',
      file: () =>
        torchFile(
          dict({ net: right(), milestones: new Instance('collections Counter', { args: [new Map([[3, 1]])] }) }),
        ),
    },
    {
      what: '`argparse.Namespace`',
      file: () =>
        torchFile(dict({ net: right(), args: new Instance('argparse Namespace', { state: dict({ lr: 0.1 }) }) })),
    },
    {
      what: '`defaultdict`',
      file: () =>
        torchFile(
          dict({
            net: right(),
            log: new Instance('collections defaultdict', {
              args: [new Name('builtins list')],
              entries: dict({ a: 1 }),
            }),
          }),
        ),
    },
    { what: '`torch.float32`', file: () => torchFile(dict({ net: right(), dtype: new Name('torch float32') })) },
    {
      what: 'a path',
      file: () => torchFile(dict({ net: right(), at: new Instance('pathlib PosixPath', { args: ['/', 'x'] }) })),
    },
    {
      what: 'an object of any other class, with tensors in it',
      file: () =>
        torchFile(
          dict({ net: right(), extra: new Instance('mine.things Bag', { state: dict({ t: vector(1, 2, 3) }) }) }),
        ),
    },
    {
      what: 'code to run (`os.system`): kept as data, not run',
      file: () => torchFile(dict({ net: right(), evil: new Instance('os system', { args: ['exit 1'] }) })),
    },
    {
      what: 'counters of BatchNorm',
      file: () => torchFile(both(right(), dict({ 'bn1.num_batches_tracked': scalar(9n) }))),
    },
  ]),
  section('Which of several', [
    {
      what: 'a plain and an averaged copy',
      file: () => torchFile(dict({ state_dict: other(), state_dict_ema: right() })),
      refused:
        /holds 2 networks that fit, with different values: state_dict, state_dict_ema.*from: state_dict_ema.*--from/,
    },
    {
      what: 'the same, with `from: state_dict_ema`',
      file: () => torchFile(dict({ state_dict: other(), state_dict_ema: right() })),
      options: { from: 'state_dict_ema' },
    },
    {
      what: "Lightning's `model.` and `ema_model.module.` in one dictionary",
      file: () => torchFile(dict({ state_dict: both(under('model.', other()), under('ema_model.module.', right())) })),
      refused: /2 networks that fit, with different values: state_dict\.model, state_dict\.ema_model/,
    },
    {
      what: 'the same, with `from: state_dict.ema_model`',
      file: () => torchFile(dict({ state_dict: both(under('model.', other()), under('ema_model.module.', right())) })),
      options: { from: 'state_dict.ema_model' },
    },
    {
      what: 'a copy behind `ema.` beside one without a prefix',
      file: () => torchFile(both(other(), under('ema.', right()))),
      refused: /2 networks that fit/,
    },
    {
      what: 'a place that is not there',
      file: () => torchFile(dict({ model: right() })),
      options: { from: 'ema' },
      refused: /holds no network at ema; there are model/,
    },
  ]),
  section('What is refused, and what the error says', [
    {
      what: 'normalisation beside the network that the model has not',
      file: () => torchFile(both(dict({ mean: vector(0.5), std: vector(0.25) }), under('model.', right()))),
      refused:
        /normalises its input by mean and std: mean \[0\.5\], std \[0\.25\]; the model by nothing \/ set model\.normalize: \{ mean: \[0\.5\]/,
    },
    {
      what: 'the same in units of 255',
      file: () => torchFile(dict({ mean: [127.5], std: [63.75], net: right() })),
      refused: /set model\.normalize: \{ mean: \[0\.5\], std: \[0\.25\] \}, the same for images in \[0, 1\]/,
    },
    {
      what: 'a file of ours whose normalisation the model has not',
      file: () => encodeWeights(make(1, { normalize })),
      refused: /normalize is .* in the file, nothing in the model/,
    },
    {
      what: 'a missing tensor',
      file: () => torchFile(without('conv2.weight')),
      refused: /1 missing tensor: conv2\.weight/,
    },
    {
      what: 'an object in place of a tensor',
      file: () =>
        torchFile(both(without('conv2.weight'), dict({ 'conv2.weight': new Instance('torch.ao Quantized') }))),
      refused: /conv2\.weight \(in its place is an object of class torch\.ao\.Quantized, not a tensor\)/,
    },
    {
      what: 'a layer more than the model has',
      file: () => torchFile(both(right(), dict({ 'conv4.weight': vector(1, 2, 3, 4, 5) }))),
      refused: /1 extra tensor: conv4\.weight/,
    },
    {
      what: 'another width',
      file: () => torchFile(toStateDict(make(1, { width: 4 }))),
      refused: /it is a small-cnn with width 4 \(the model has width 2\).*use model: \{ use: small-cnn, width: 4/,
    },
    { what: 'no tensors at all', file: () => torchFile(dict({ epoch: 3 })), refused: /holds no tensors/ },
    {
      what: 'a pointer of git-lfs',
      file: () => new Uint8Array(Buffer.from('version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n')),
      refused: /pointer of git-lfs/,
    },
    {
      what: "a web page (a cloud drive's)",
      file: () => new Uint8Array(Buffer.from('<!DOCTYPE html><html><head><title>Google Drive</title>')),
      refused: /a web page.*cloud drive/,
    },
    {
      what: 'HDF5 of Keras',
      file: () => new Uint8Array(Buffer.from('\x89HDF\r\n\x1a\n', 'latin1')),
      refused: /HDF5 file of Keras/,
    },
    {
      what: '`model.json` of TensorFlow.js',
      file: () => new Uint8Array(Buffer.from('{"modelTopology": {}}')),
      refused: /model\.json of TensorFlow\.js.*use: layers-model/,
    },
  ]),
] as const;

/** What loading came to: `loads`, or the refusal with its hint. */
function outcome({ file, into = () => make(3), options }: Form): string {
  const network = into();
  try {
    loadWeights(network, file(), options);
  } catch (error) {
    const { name, code, message, hint } = error as Error & { code?: string; hint?: string };
    return name === 'BulwarkError' ? `${code} ${message} / ${hint}` : `crashed: ${message}`;
  }
  for (const [name, { data }] of toStateDict(network))
    if (data instanceof Float32Array) expect([name, data]).toEqual([name, right().get(name)!.data]);
  return 'loads';
}

const lines: string[] = [];

describe.each(sections)('$title', ({ title, forms }) => {
  const rows: [string, string][] = [];
  for (const form of forms as readonly Form[]) {
    rows.push([form.what, form.refused ? 'refused' : 'loads']);
    it(form.what, () => {
      const found = outcome(form);
      if (form.refused) expect(found).toMatch(form.refused);
      else expect(found).toBe('loads');
    });
  }
  lines.push(`### ${title}`, '', ...formsTable(rows), '');
});

it('docs/weights.md lists every form that is tried here (UPDATE_DOCS=1 writes it)', () =>
  expectInDocs('weights.md', 'forms.test.ts', lines));

it.each([
  ['cut off', 'PK\x03\x04 and no more'],
  ['of a few letters', 'hello\n'],
])('a file %s is named', (_, content) => {
  const folder = mkdtempSync(join(tmpdir(), 'bulwark-forms-'));
  writeFileSync(join(folder, 'mine.pt'), Buffer.from(content, 'latin1'));
  expect(() => readWeightsFile(join(folder, 'mine.pt'))).toThrow(/mine\.pt/);
  rmSync(folder, { recursive: true });
});
