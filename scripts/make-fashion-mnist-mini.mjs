// Regenerates packages/datasets/data/fashion-mnist-mini from the full Fashion-MNIST (idx.gz files), losslessly:
//   node scripts/make-fashion-mnist-mini.mjs <folder with train-images-idx3-ubyte.gz ...>
// Train: the first 256 images of each class in file order; validation: the next 50; test: the first 100 of the test file. File order is kept.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { brotliCompressSync, constants, gunzipSync } from 'node:zlib';

const [from] = process.argv.slice(2);
if (!from) {
  console.error('usage: node scripts/make-fashion-mnist-mini.mjs <folder of the full Fashion-MNIST>');
  process.exit(2);
}
const to = fileURLToPath(new URL('../packages/datasets/data/fashion-mnist-mini/', import.meta.url));
const size = 28 * 28;

function read(name) {
  const images = gunzipSync(readFileSync(join(from, `${name}-images-idx3-ubyte.gz`))).subarray(16);
  const labels = gunzipSync(readFileSync(join(from, `${name}-labels-idx1-ubyte.gz`))).subarray(8);
  return { images, labels };
}

/** For each class, its examples number `start` to `end`, in file order. */
function choose({ images, labels }, { start, end }) {
  const seen = new Array(10).fill(0);
  const chosen = [...labels.keys()].filter((i) => {
    const rank = seen[labels[i]]++;
    return rank >= start && rank < end;
  });
  return {
    images: Buffer.concat(chosen.map((i) => images.subarray(i * size, (i + 1) * size))),
    labels: Buffer.from(chosen.map((i) => labels[i])),
  };
}

function idx(shape, data) {
  const header = Buffer.alloc(4 + 4 * shape.length);
  header[2] = 8;
  header[3] = shape.length;
  shape.forEach((n, i) => header.writeUInt32BE(n, 4 + 4 * i));
  return Buffer.concat([header, data]);
}

function write(file, bytes) {
  const packed = brotliCompressSync(bytes, {
    params: { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_LGWIN]: 24 },
  });
  writeFileSync(join(to, file), packed);
  console.log(`${file}: ${packed.length} bytes`);
}

mkdirSync(to, { recursive: true });
const train = read('train');
const parts = {
  train: choose(train, { start: 0, end: 256 }),
  validation: choose(train, { start: 256, end: 306 }),
  test: choose(read('t10k'), { start: 0, end: 100 }),
};
for (const [name, { images, labels }] of Object.entries(parts)) {
  write(`${name}-images.idx.br`, idx([labels.length, 28, 28], images));
  write(`${name}-labels.idx.br`, idx([labels.length], labels));
}
