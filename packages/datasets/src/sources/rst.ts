import {
  BulwarkError,
  checkImageSet,
  concatenated,
  countOf,
  defineDataSource,
  integer,
  plugin,
  type DataSource,
  type PluginServices,
  type PluginSpec,
} from '@bulwark/core';
import { doubt } from '@bulwark/core/plugins';
import { z } from 'zod';
import { mayStandIn, standIn } from '../stand-in.js';
import { rstSampler } from './rst-sampler.js';

function refuse(what: string, hint: string): never {
  throw new BulwarkError('DATA_CORRUPT', `rst: ${what}`, { hint });
}

/** The pseudo-labelled images; where only costs are wanted and they are not there, as many as there are labelled ones. */
async function unlabelledOf(spec: PluginSpec, labelled: DataSource, services: PluginServices): Promise<DataSource> {
  try {
    return await services.make('data', spec);
  } catch (error) {
    if (!mayStandIn(error, services)) throw error;
    const { shape, classNames, train } = labelled;
    return {
      ...labelled,
      train: standIn({ name: spec.use, shape, classes: classNames.length, count: countOf(train) }),
    };
  }
}

/**
 * Labelled and pseudo-labelled images in every batch, for RST and ST-RST. Validation and test are those of the labelled source; of the
 * unlabelled one, only the training set is used. Examples labelled -1 take part in the consistency term alone.
 */
export const rst = defineDataSource({
  name: 'rst',
  summary:
    'Mixes a labelled and a pseudo-labelled data set with a fixed share per batch, as robust self-training does.',
  cite: 'Carmon et al., 2019, section 4; arXiv:1905.13736',
  options: {
    labelled: plugin('data').describe('the labelled data set'),
    unlabelled: plugin('data').describe('the pseudo-labelled one, e.g. { use: npz, train: pseudo.npz }'),
    unlabelledFraction: z
      .union([z.literal(-1), z.number().min(0).lt(1)])
      .default(0.5)
      .describe('share of pseudo-labelled images in a batch; -1: one common pool'),
    epochSize: integer({ min: 1 })
      .default(50000)
      .describe('an epoch is epochSize / batchSize batches, rounded up, whatever the sizes of the data sets'),
  },
  examine: ({ unlabelledFraction }) =>
    unlabelledFraction === 0
      ? [
          doubt(
            'unlabelledFraction is 0: no batch has an unlabelled image',
            'set it to 0.5, or use the labelled data alone',
          ),
        ]
      : [],
  async create({ labelled: labelledSpec, unlabelled: unlabelledSpec, unlabelledFraction, epochSize }, services) {
    const labelled = await services.make('data', labelledSpec);
    const unlabelled = await unlabelledOf(unlabelledSpec, labelled, services);
    if (unlabelled.shape.join() !== labelled.shape.join())
      refuse(`unlabelled images are [${unlabelled.shape}], labelled ones [${labelled.shape}]`, 'both need one shape');
    if (countOf(labelled.train) === 0 || countOf(unlabelled.train) === 0)
      refuse(
        `${countOf(labelled.train)} labelled and ${countOf(unlabelled.train)} unlabelled images`,
        'neither may be empty',
      );
    const classes = labelled.classNames.length;
    checkImageSet(unlabelled.train, { name: `rst: unlabelled (${unlabelled.name})`, classes });
    const counts = { labelled: countOf(labelled.train), unlabelled: countOf(unlabelled.train) };
    return {
      name: 'rst',
      shape: labelled.shape,
      classNames: labelled.classNames,
      train: concatenated([labelled.train, unlabelled.train]),
      ...(labelled.validation && { validation: labelled.validation }),
      test: labelled.test,
      sampler: ({ batchSize }) =>
        rstSampler({ ...counts, unlabelledFraction, batchesPerEpoch: Math.ceil(epochSize / batchSize) }, { batchSize }),
      notes: [
        ...(labelled.notes ?? []),
        ...(unlabelled.notes ?? []),
        `${counts.labelled} labelled and ${counts.unlabelled} pseudo-labelled images, share per batch ${unlabelledFraction}.`,
      ],
    };
  },
});
