// A process that reads files by name when it is told to, so that its parent can watch how long and how much memory it takes.
import { dirname } from 'node:path';
import { readFileSync } from 'node:fs';
import { BulwarkError, useEngine } from '../../packages/core/dist/index.js';
import { checkConfig, decodeCheckpoint, openRunFolder } from '../../packages/core/dist/run/index.js';
import { builtinRegistry, loadConfig } from '../../packages/cli/dist/index.js';
import { readRun } from '../../packages/cli/dist/report/read-run.js';
import { readArraySet, readIdx, readMat5 } from '../../packages/datasets/dist/index.js';
import { readTar } from '../../packages/datasets/dist/fetch/tar.js';
import { readBytes } from '../../packages/datasets/dist/formats/files.js';
import { decodeImage } from '../../packages/datasets/dist/formats/image/index.js';
import { readLayersModel, readWeightsFile } from '../../packages/models/dist/index.js';

await useEngine('cpu');
const registry = builtinRegistry();
const silent = () => undefined;

const readers = {
  array: (file) => readArraySet(file.endsWith('.npy') ? { images: file } : file, { classes: 10, tell: silent }),
  mat: (file) => readMat5(readBytes(file), { file, names: ['X', 'y'] }),
  image: (file) => decodeImage(readBytes(file), { file, channels: 3 }),
  gz: (file) => readIdx(readBytes(file), { file, rank: 1 }),
  tar: (file) => readTar(readBytes(file), file),
  weights: (file) => {
    const { tensors } = readWeightsFile(file);
    for (const tensor of tensors.values()) void tensor.data.length;
  },
  checkpoint: (file) => decodeCheckpoint(readFileSync(file), file),
  async layers(file) {
    (await readLayersModel(file)).dispose();
  },
  async config(file) {
    const { input } = await loadConfig(file);
    checkConfig(input, registry);
  },
  async run(file) {
    const folder = file.replace(/\/(?:evaluation\/best\/|checkpoints\/)?[^/]*$/, '');
    await readRun(folder, silent);
    const { checkpoints } = openRunFolder(folder, { warn: silent });
    if (checkpoints.has('last')) checkpoints.load('last');
    return dirname(file);
  },
};

process.on('message', async ({ reader, file }) => {
  const answer = { file, outcome: 'read' };
  try {
    await readers[reader](file);
  } catch (error) {
    answer.outcome = error instanceof BulwarkError ? error.code : 'unclear';
    answer.message = String(error?.stack ?? error).slice(0, 2000);
  }
  process.send(answer);
});
process.send({ ready: true });
