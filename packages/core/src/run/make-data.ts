import { checkImageSet, countOf, selected, unlabelled, type ImageSet } from '../batch.js';
import { BulwarkError } from '../errors.js';
import type { DataSource } from '../hooks/index.js';
import type { PluginServices } from '../plugins/index.js';
import type { RunConfig } from './config.js';
import { pluginPart } from './plugin-part.js';

/** The data source of a config, checked; accuracy is measured on images with a label only. */
export async function makeData(config: RunConfig, services: PluginServices): Promise<DataSource> {
  const data = await services.make('data', pluginPart('data', config));
  const where = (split: string) => ({ name: `${data.name} ${split}`, classes: data.classNames.length });
  checkImageSet(data.train, where('train'));
  if (data.validation) checkImageSet(data.validation, where('validation'));
  checkImageSet(data.test, where('test'));
  const validation = data.validation && labelledOnly(data.validation, 'validation', services.warn);
  const test = labelledOnly(data.test, 'test', services.warn);
  return validation === data.validation && test === data.test
    ? data
    : { ...data, ...(validation && { validation }), test, ...(test !== data.test && { groups: undefined }) };
}

/** What accuracy is measured on: an image without a label is neither right nor wrong. */
function labelledOnly(set: ImageSet, split: string, warn: (message: string) => void): ImageSet {
  const labelled = set.labels.reduce((count, label) => count + Number(label !== unlabelled), 0);
  if (labelled === countOf(set)) return set;
  warn(
    `${countOf(set) - labelled} of ${countOf(set)} ${split} images have no label; accuracy is measured on the others`,
  );
  const indices = new Int32Array(labelled);
  let at = 0;
  set.labels.forEach((label, i) => label !== unlabelled && (indices[at++] = i));
  return selected(set, indices);
}

/**
 * Says how many training images have no label.
 * @throws BulwarkError DATA_UNLABELLED, where there is nothing to learn from
 */
export function checkSupervision({ train, name, notes }: DataSource, warn: (message: string) => void): void {
  if (countOf(train) === 0)
    throw new BulwarkError('DATA_MISSING', `${name} has no training images`, {
      hint: 'train on another data set; `bulwark evaluate --data` takes this one to judge a model',
    });
  const without = train.labels.reduce((count, label) => count + Number(label === unlabelled), 0);
  if (without < countOf(train)) {
    if (without > 0)
      warn(`${without} of ${countOf(train)} training images have no label; only terms that need none learn from them`);
    return;
  }
  throw new BulwarkError(
    'DATA_UNLABELLED',
    `none of the ${countOf(train)} training images of ${name} has a label${notes?.length ? ` (${notes.join(' ')})` : ''}`,
    { hint: 'name the labels (labelKey, or labels: y.npy), or mix them with labelled images: data: { use: rst, ... }' },
  );
}
