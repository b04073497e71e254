import { createHash } from 'node:crypto';
import type { ImageSet } from '../batch.js';
import type { Classifier } from '../classifier/index.js';

/** Identifies weights and running statistics: two models with one fingerprint compute the same. */
export async function fingerprintModel(model: Classifier): Promise<string> {
  const hash = createHash('sha256').update(`${model.name}/${model.inputShape.join('x')}/${model.classes}`);
  for (const variables of [model.parameters, model.statistics])
    for (const [name, variable] of variables) {
      const values = await variable.data();
      hash.update(`${name}:${variable.shape.join('x')};`);
      hash.update(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
    }
  return hash.digest('hex').slice(0, 32);
}

/** Identifies images and labels, in order. */
export function fingerprintData(data: ImageSet): string {
  const labels = new Uint8Array(data.labels.buffer, data.labels.byteOffset, data.labels.byteLength);
  return createHash('sha256')
    .update(data.shape.join('x'))
    .update(data.images)
    .update(labels)
    .digest('hex')
    .slice(0, 32);
}
