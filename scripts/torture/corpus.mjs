// Honest files of every kind that Bulwark reads, to be mutated, and hostile ones made by hand.
import { copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync } from 'node:zlib';
import { createRandom } from '../../packages/core/dist/index.js';
import { evaluate, saveEvaluation } from '../../packages/core/dist/evaluation/index.js';
import { encodeCheckpoint } from '../../packages/core/dist/run/index.js';
import { encodePng, writeIdx, writeNpy, writeNpz } from '../../packages/datasets/dist/index.js';
import { toLayersModel, writeLayersModel } from '../../packages/models/dist/index.js';
import { stringify } from 'yaml';
import { startTiny } from '../../packages/cli/dist/train/testing.js';

const fixtures = (path) =>
  resolve(import.meta.dirname ?? new URL('.', import.meta.url).pathname, '../../packages', path);
const bytesOf = (text) => Buffer.from(text, 'base64');

/** A tar archive with one file. */
function tar(name, content) {
  const header = Buffer.alloc(512);
  header.write(name);
  header.write(content.length.toString(8).padStart(11, '0'), 124);
  header[156] = 0x30;
  const sum = header.reduce((total, byte, i) => total + (i >= 148 && i < 156 ? 32 : byte), 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return Buffer.concat([header, content, Buffer.alloc(((512 - (content.length % 512)) % 512) + 1024)]);
}

/** Lists of lists of one list: 2^levels values in a few bytes for each level. */
const doubling = (levels) =>
  Buffer.from(
    `\x80\x02]X\x01\x00\x00\x00xaq\x000${Array.from({ length: levels }, (_, i) => `](h${String.fromCharCode(i)}h${String.fromCharCode(i)}eq${String.fromCharCode(i + 1)}0`).join('')}`,
    'latin1',
  );
const pickleOf = (start, rest) => Buffer.concat([start, Buffer.from(rest, 'latin1')]);

/** An archive of entries that may claim what they like. */
function zip(entries) {
  const parts = [];
  const listed = [];
  let at = 0;
  for (const { name, content, claims = content.length, crc = 0, method = 8, at: elsewhere } of entries) {
    const packed = method === 8 ? deflateRawSync(content) : content;
    const local = Buffer.alloc(30);
    local.writeUInt32LE(0x04034b50);
    local.writeUInt16LE(method, 8);
    local.writeUInt16LE(name.length, 26);
    const central = Buffer.alloc(46);
    central.writeUInt32LE(0x02014b50);
    central.writeUInt16LE(method, 10);
    central.writeUInt32LE(crc, 16);
    central.writeUInt32LE(packed.length, 20);
    central.writeUInt32LE(claims >>> 0, 24);
    central.writeUInt16LE(name.length, 28);
    central.writeUInt32LE(elsewhere ?? at, 42);
    listed.push(central, Buffer.from(name));
    if (elsewhere !== undefined) continue;
    parts.push(local, Buffer.from(name), packed);
    at += 30 + name.length + packed.length;
  }
  const directory = Buffer.concat(listed);
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50);
  end.writeUInt16LE(entries.length, 10);
  end.writeUInt32LE(directory.length, 12);
  end.writeUInt32LE(at, 16);
  return Buffer.concat([...parts, directory, end]);
}

/** Files that were made to hang or swell their reader, by the reader that they are meant for. */
function handmade() {
  const zeros = Buffer.alloc(300 * 2 ** 20);
  const npyHeader = (shape, type = '|u1') => {
    const text = `{'descr': '${type}', 'fortran_order': True, 'shape': (${shape}), }`.padEnd(117) + '\n';
    return Buffer.concat([Buffer.from('\x93NUMPY\x01\x00v\x00', 'latin1'), Buffer.from(text)]);
  };
  const join = doubling(60);
  return [
    ['array', 'bomb.npz', zip([{ name: 'image.npy', content: zeros }])],
    ['array', 'liar.npz', zip([{ name: 'image.npy', content: zeros, claims: 100 }])],
    [
      'array',
      'overlap.npz',
      zip(
        Array.from({ length: 400 }, (_, i) => ({
          name: `a${i}.npy`,
          content: zeros.subarray(0, 2 ** 23),
          ...(i > 0 && { at: 0 }),
        })),
      ),
    ],
    ['array', 'huge.npz', zip([{ name: 'image.npy', content: npyHeader('0, 4294967296, 4294967296, 3'), method: 0 }])],
    ['array', 'text.npz', zip([{ name: 'image.npy', content: npyHeader('1000000000,', '<U0'), method: 0 }])],
    ['array', 'names.pkl', pickleOf(join, 'cnumpy\ndtype\nh<\x85R.')],
    ['array', 'key.pkl', pickleOf(join, '}h<Ns.')],
    ['array', 'marks.pkl', Buffer.from(`\x80\x02${'('.repeat(2e6)}`, 'latin1')],
    ['array', 'dicts.pkl', Buffer.from(`\x80\x02${'}'.repeat(2e7)}.`, 'latin1')],
    ['array', 'deep.pkl', Buffer.from(`\x80\x02${']'.repeat(1e6)}${'a'.repeat(1e6 - 1)}.`, 'latin1')],
    ['weights', 'names.pt', zip([{ name: 'a/data.pkl', content: pickleOf(join, 'h<Q.'), method: 0 }])],
    [
      'weights',
      'module.pt',
      zip([{ name: 'a/data.pkl', content: pickleOf(join, 'h<X\x01\x00\x00\x00a\x93.'), method: 0 }]),
    ],
    ['weights', 'bomb.pt', zip([{ name: 'a/data.pkl', content: zeros }])],
    [
      'weights',
      'header.safetensors',
      Buffer.concat([Buffer.from([0xff, 0xff, 0xff, 0, 0, 0, 0, 0]), Buffer.alloc(1000)]),
    ],
    ['gz', 'bomb.idx.gz', gzipSync(zeros)],
    ['gz', 'bomb.idx.br', brotliCompressSync(zeros)],
    ['mat', 'bomb.mat', mat(deflateSync(zeros))],
    ['tar', 'negative.tar', tar('a', Buffer.alloc(0)).fill('-0000000512\0', 124, 136)],
    ['config', 'deep.json', Buffer.from(`${'{"a":'.repeat(20000)}1${'}'.repeat(20000)}`)],
    ['config', 'deep.yaml', Buffer.from(`a: ${'['.repeat(5000)}${']'.repeat(5000)}\n`)],
    [
      'config',
      'billion.yaml',
      Buffer.from(
        Array.from(
          { length: 12 },
          (_, i) =>
            `a${i}: &a${i} [${
              i === 0
                ? 'x'
                : Array(10)
                    .fill(`*a${i - 1}`)
                    .join(',')
            }]`,
        ).join('\n'),
      ),
    ],
  ];
}

function mat(compressed) {
  const head = Buffer.alloc(128, ' ');
  head.write('MATLAB 5.0');
  head.set([0, 1, 0x49, 0x4d], 124);
  const tag = Buffer.alloc(8);
  tag.writeUInt32LE(15);
  tag.writeUInt32LE(compressed.length, 4);
  return Buffer.concat([head, tag, compressed]);
}

/**
 * Writes the corpus.
 * @returns honest files with their readers, and hostile ones
 */
export async function writeCorpus(folder) {
  mkdirSync(folder, { recursive: true });
  const honest = [];
  const put = (reader, name, content) => {
    writeFileSync(join(folder, name), content);
    honest.push({ reader, file: join(folder, name) });
  };
  const random = createRandom(1, 'torture-corpus');
  const noise = (count) => Uint8Array.from({ length: count }, () => random.integer(256));

  const { files } = JSON.parse(readFileSync(fixtures('datasets/fixtures/small-files.json'), 'utf8'));
  for (const [name, text] of Object.entries(files)) {
    if (name.startsWith('numpy.')) put('array', `${name}.npz`, bytesOf(text));
    if (name.startsWith('pickle.') || name.startsWith('cifar.')) put('array', `${name}.pkl`, bytesOf(text));
    if (name.startsWith('scipy.')) put('mat', `${name}.mat`, bytesOf(text));
  }
  const { images } = JSON.parse(readFileSync(fixtures('datasets/fixtures/images.json'), 'utf8'));
  Object.values(images).forEach(({ file }, i) => put('image', `image-${i}`, bytesOf(file)));
  put('image', 'plain.png', encodePng(noise(5 * 4 * 3), [5, 4, 3]));
  const image = { shape: [4, 5, 5, 1], data: noise(100) };
  const label = { shape: [4], data: Int32Array.of(0, 1, 2, 3) };
  put('array', 'set.npz', writeNpz({ image, label }));
  put('array', 'stored.npz', writeNpz({ image, label }, { compress: false }));
  put('array', 'images.npy', writeNpy(image));
  put('gz', 'labels.idx.gz', gzipSync(writeIdx({ shape: [9], data: noise(9) })));
  put('gz', 'labels.idx.br', brotliCompressSync(writeIdx({ shape: [9], data: noise(9) })));
  put('gz', 'labels.idx', writeIdx({ shape: [9], data: noise(9) }));
  put('tar', 'set.tar', tar('folder/a.bin', Buffer.from(noise(700))));
  for (const name of readdirSync(fixtures('core/fixtures/formats')))
    put('array', name, readFileSync(fixtures(`core/fixtures/formats/${name}`)));
  for (const name of readdirSync(fixtures('models/fixtures/torch')).filter((each) => /\.pth?$/.test(each)))
    put('weights', name, readFileSync(fixtures(`models/fixtures/torch/${name}`)));
  put('weights', 'weights.safetensors', readFileSync(fixtures('models/fixtures/fmnist-small-trades.safetensors')));
  put('weights', 'index.safetensors.index.json', JSON.stringify({ weight_map: { a: 'weights.safetensors' } }));
  const config = {
    ...{ name: 'a', data: { use: 'mnist', batchSize: 8 }, model: { use: 'small-cnn', width: 2 }, epochs: 1 },
    ...{ threat: { norm: 'linf', epsilon: '8/255' }, objective: { use: 'trades', beta: 6, inner: { steps: 2 } } },
    evaluation: { attacks: [{ use: 'pgd', steps: 3 }] },
  };
  put('config', 'base.yaml', stringify(config));
  put('config', 'config.yaml', 'extends: [base.yaml, base.yaml]\nseed: 3\nobjective: { beta: 5 }\n');
  put('config', 'config.json', JSON.stringify(config));

  const run = await startTiny(
    { model: { use: 'small-cnn', width: 2 }, objective: 'natural', epochs: 2 },
    join(folder, 'run'),
  );
  await run.train();
  const { model, data, threat } = run.parts;
  const attacks = [run.services.make('attack', { use: 'fgsm' })];
  await saveEvaluation(
    join(folder, 'run/evaluation/best/custom.json'),
    await evaluate({ model, data: data.test, attacks, threat }),
  );
  put('checkpoint', 'last.safetensors', encodeCheckpoint(run.folder.checkpoints.load('last')));
  const layers = toLayersModel(model);
  await writeLayersModel(layers, join(folder, 'layers'));
  layers.dispose();
  run.dispose();
  honest.push({ reader: 'layers', file: join(folder, 'layers/model.json') });
  for (const name of [
    'config.json',
    'summary.json',
    'metrics.jsonl',
    'timings.jsonl',
    'evaluation/best/custom.json',
    'checkpoints/last.safetensors',
  ])
    honest.push({ reader: 'run', file: join(folder, 'run', name), within: join(folder, 'run') });

  const hostile = handmade().map(([reader, name, content]) => {
    const file = join(folder, `hostile-${name}`);
    writeFileSync(file, content);
    return { reader, file };
  });
  return { honest, hostile };
}

/** Copies a file under another name beside the others that it belongs to. */
export function copyBeside(file, folder) {
  const to = join(folder, basename(file));
  copyFileSync(file, to);
  return to;
}
