import { z } from 'zod';
import { integer, number, pixelLength, plugin } from '../plugins/index.js';
import { normNames } from '../threat/index.js';

/** How BatchNorm trains; `synchronised` alone is short for `{ use: synchronised }`. */
export const batchNormSection = z.strictObject({
  momentum: number({ min: 0, max: 1 })
    .optional()
    .describe('share of each batch in the running statistics; default: that of the layers, mostly 0.1'),
  first: number({ min: 0, max: 1 })
    .optional()
    .describe('the same in the very first step of the run; 1 forgets the initial values'),
  use: z
    .enum(['local', 'synchronised'])
    .optional()
    .describe('of several processes: each normalises its part of a batch by itself (default), or all the whole batch'),
});
const batchNorm = z
  .union([z.enum(['local', 'synchronised']).transform((use) => ({ use })), z.looseObject({})], {
    error: 'expected local, synchronised, or a section',
  })
  .pipe(batchNormSection) as unknown as z.ZodType<
  z.output<typeof batchNormSection>,
  'local' | 'synchronised' | z.input<typeof batchNormSection>
>;

/** A name that is one folder below another: neither `.` nor `..`. */
export const folderName = z
  .string()
  .regex(/^\.*[\w-][\w.-]*$/, 'letters, digits, dots, hyphens and underscores only, and not dots alone');

/** One threat model. */
export const threatSection = z.strictObject({
  norm: z.enum(normNames).default('linf').describe('norm of the perturbation'),
  epsilon: pixelLength({ min: 0 }).describe('radius of the ball, in pixel values of [0, 1]'),
});

/** Top level of a run's config. Sections that name a plugin carry that plugin's options beside `use`. */
export const runConfigSchema = z.strictObject({
  $schema: z.string().optional().describe('JSON schema of this file, for editors'),
  extends: z
    .union([z.string(), z.array(z.string())])
    .optional()
    .describe('base configs, relative to this file; later ones are laid over earlier ones, this one over all'),
  name: folderName.default('run').describe('name of the run and of its folder'),
  seed: integer({ min: 0 })
    .default(1)
    .describe('one seed for initialisation, shuffling, augmentation and attack noise'),
  engine: plugin('engine', { besides: 'auto' })
    .default({ use: 'auto' })
    .describe('which engine computes, with its options; auto takes the best that works'),
  reducedPrecision: z
    .boolean()
    .default(false)
    .describe(
      'compute the passes of attacks in training in bfloat16, where the engine can: faster on some processors, less exact',
    ),
  plugins: z.array(z.string()).default([]).describe('packages or relative paths with further plugins'),
  data: z
    .looseObject({
      use: z.string(),
      batchSize: integer({ min: 1 }).default(128).describe('images per training batch'),
      accumulate: integer({ min: 1 })
        .default(1)
        .describe('work through each batch in this many parts, for batches that do not fit into memory'),
      augment: z.array(plugin('augmentation')).default([]).describe('augmentations of training batches, in order'),
    })
    .describe('data source, with its options'),
  model: plugin('model').describe('architecture, with its options'),
  threat: threatSection.describe(
    'which perturbations the adversary may make; of a list, the first is that of training, and all are measured',
  ),
  objective: plugin('objective').describe('training method, with its options'),
  weightPerturber: plugin('weight-perturber').optional().describe('at which weights the loss is differentiated'),
  optimizer: z
    .looseObject({
      use: z.string().default('sgd'),
      schedule: plugin('schedule').default({ use: 'constant' }),
      clipNorm: number({ above: 0 })
        .optional()
        .describe('largest Euclidean length of all gradients together; longer ones are scaled down'),
    })
    .prefault({})
    .describe('optimizer, with its options and learning-rate schedule'),
  batchNorm: batchNorm.prefault({}).describe('BatchNorm in training'),
  averaging: plugin('average')
    .optional()
    .describe('average of the weights, which is then what is validated, evaluated and exported'),
  callbacks: z
    .array(plugin('callback'))
    .default([])
    .describe(
      'who looks on while the run trains (loggers, for example); the run computes the same with and without them',
    ),
  epochs: integer({ min: 1 }).describe('passes over the training data'),
  evaluation: z
    .strictObject({
      every: integer({ min: 1 }).default(1).describe('validate after every n-th epoch'),
      attacks: z
        .array(plugin('attack'))
        .default([{ use: 'pgd', steps: 20 }])
        .describe('attacks of the validation'),
      threats: z
        .array(threatSection)
        .optional()
        .describe(
          'threat models that are measured besides `threat`, and the union of all; a list of threats fills it in',
        ),
      examples: integer({ min: 1 }).optional().describe('use at most this many validation images'),
      batchSize: integer({ min: 1 }).default(250).describe('images per evaluation batch'),
      selectBest: z
        .string()
        .optional()
        .describe('label of the validation accuracy that chooses the best checkpoint; default: the last attack'),
      final: z
        .enum(['test', 'validation', 'none'])
        .default('test')
        .describe(
          'images on which the best and the last checkpoint are compared at the end; `examples` limits them, too',
        ),
    })
    .prefault({})
    .describe('validation while training'),
  checkpoint: z
    .strictObject({ minutes: number({ above: 0 }).default(5).describe('at most this long between two checkpoints') })
    .prefault({})
    .describe('how often the state is saved'),
  guard: z
    .strictObject({
      onFailure: z
        .enum(['stop', 'rollback'])
        .default('stop')
        .describe('when training fails: stop, or go back to a good checkpoint with a lower learning rate'),
      factor: number({ above: 0, max: 1 }).default(0.1).describe('multiplies the learning rate at every rollback'),
      retries: integer({ min: 0 }).default(3).describe('rollbacks in the whole run'),
      collapse: z
        .strictObject({
          epochs: integer({ min: 0 })
            .default(5)
            .describe('epochs in a row at chance accuracy that count as collapsed; 0 to let training collapse'),
          margin: number({ min: 0, max: 1 })
            .default(0.01)
            .describe('share of the way from chance to 1 that still counts as chance'),
        })
        .prefault({})
        .describe('when training accuracy falls to chance'),
      callbacks: z
        .enum(['switch-off', 'stop'])
        .default('switch-off')
        .describe('when a callback fails: go on without it, or stop; at the start of a run it always stops'),
      overfitting: z
        .strictObject({
          action: z
            .enum(['warn', 'stop', 'rollback'])
            .default('warn')
            .describe('warn and go on, stop, or go back to the start of the epoch with a lower learning rate'),
          share: number({ min: 0, max: 1 })
            .default(0.5)
            .describe(
              'counts where validation accuracy under attacks of several steps falls below this share of its best, while that under one step holds; 0 for never',
            ),
        })
        .prefault({})
        .describe('when single-step training loses its robustness (catastrophic overfitting)'),
    })
    .prefault({})
    .describe('what counts as failed training, and what happens then'),
});

/** One threat model as it is written. */
type OneThreat = z.input<typeof threatSection>;
/** A config as it is written: what has a default may be left out, and `threat` may be a list. */
export type RunConfigInput = Omit<z.input<typeof runConfigSchema>, 'threat'> & {
  readonly threat: OneThreat | readonly OneThreat[];
};
/** The same with defaults filled in. */
export type RunConfig = z.output<typeof runConfigSchema>;
