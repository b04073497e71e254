import { createHash, type Hash } from 'node:crypto';
import type { Variable } from '../tensor/index.js';
import { hashImages, type ImageSet } from '../batch.js';
import { factsOf, type Classifier } from '../classifier/index.js';

/** What decides the function besides tensors: normalisation and options that leave shapes alone. */
function start(model: Classifier): Hash {
  const { architecture, normalize } = factsOf(model);
  const { use: _use, normalize: _same, ...options } = architecture ?? { use: '' };
  const decided = Object.entries(options).sort(([a], [b]) => (a < b ? -1 : 1));
  return createHash('sha256')
    .update(`${model.name}/${model.inputShape.join('x')}/${model.classes}`)
    .update(JSON.stringify([normalize ?? null, decided]));
}

const variablesOf = (model: Classifier): [string, Variable][] => [...model.parameters, ...model.statistics];

function add(hash: Hash, [name, { shape }]: readonly [string, Variable], values: ArrayBufferView): void {
  hash.update(`${name}:${shape.join('x')};`);
  hash.update(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
}

const finish = (hash: Hash): string => hash.digest('hex').slice(0, 32);

/** Identifies weights, running statistics and options: two models with one fingerprint compute the same. */
export async function fingerprintModel(model: Classifier): Promise<string> {
  const hash = start(model);
  for (const named of variablesOf(model)) add(hash, named, await named[1].data());
  return finish(hash);
}

/** The same at once, for engines whose values can be read at once. */
export function fingerprintModelSync(model: Classifier): string {
  const hash = start(model);
  for (const named of variablesOf(model)) add(hash, named, named[1].dataSync());
  return finish(hash);
}

/** Identifies images and labels, in order. */
export function fingerprintData(data: ImageSet): string {
  const labels = new Uint8Array(data.labels.buffer, data.labels.byteOffset, data.labels.byteLength);
  return hashImages(createHash('sha256').update(data.shape.join('x')), data)
    .update(labels)
    .digest('hex')
    .slice(0, 32);
}
