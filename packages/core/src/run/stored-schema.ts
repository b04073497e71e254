import { z } from 'zod';
import type { EpochMetrics } from '../hooks/index.js';

/** JSON writes what is not finite as `null`. */
const number = z
  .number()
  .nullable()
  .transform((value) => value ?? NaN);
const count = z.number().int().min(0);
const epoch = z.number().int().min(1);

/** Numbers by name, as they stand in files. */
export const numbersByName = z.record(z.string(), number);

const metrics = {
  epoch,
  steps: count,
  learningRate: number,
  loss: number,
  terms: numbersByName,
  train: numbersByName,
  validation: numbersByName.optional(),
};

/** A line of `metrics.jsonl`. */
export const epochMetricsSchema: z.ZodType<EpochMetrics> = z.looseObject(metrics);

/** A line of `timings.jsonl`. */
export const timingSchema = z.looseObject({
  epoch,
  seconds: z.number().min(0),
  imagesPerSecond: z.number().min(0),
});
/** What `timings.jsonl` says of an epoch. */
export type EpochTiming = z.infer<typeof timingSchema>;

/**
 * What readers of a finished or foreign run rely on in its config, whatever version wrote it. Who composes a run from it checks it in
 * full.
 */
const plugin = z.looseObject({ use: z.string() });
export const frozenConfigSchema = z.strictObject({
  config: z.looseObject({
    name: z.string(),
    seed: count,
    engine: z.union([z.string(), plugin]),
    plugins: z.array(z.string()),
    data: plugin,
    model: plugin,
    threat: z.looseObject({ norm: z.string(), epsilon: z.number() }),
    objective: plugin,
    weightPerturber: plugin.optional(),
    optimizer: plugin,
    epochs: epoch,
    evaluation: z.looseObject({ attacks: z.array(plugin) }),
  }),
  baseFolder: z.string(),
  baseFromRun: z.string().optional(),
  versions: z.record(z.string(), z.string()),
  engine: z.string(),
  arithmetic: z.string().optional(),
  extended: z.array(epoch).optional(),
  ranks: z.number().int().min(2).optional(),
});

const checkpoint = { epoch, validation: numbersByName.optional(), accuracy: numbersByName.optional() };

/** A loss of robustness. */
export const overfittingSchema = z.strictObject({
  epoch,
  attack: z.string(),
  best: number,
  robust: number,
  singleStep: number,
  rolledBack: z.boolean().optional(),
});

/** `summary.json`. */
export const summarySchema = z.looseObject({
  name: z.string(),
  seed: count,
  engine: z.string(),
  epochs: epoch,
  selectedBy: z.string().optional(),
  split: z.enum(['test', 'validation', 'none']),
  images: epoch.optional(),
  best: z.looseObject({ ...checkpoint, value: z.number(), metric: z.string() }).optional(),
  last: z.looseObject({ ...metrics, ...checkpoint }),
  gap: number.optional(),
  rollbacks: count,
  extended: z.array(epoch).optional(),
  overfitting: z.array(overfittingSchema).optional(),
});
