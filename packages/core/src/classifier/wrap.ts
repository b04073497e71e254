import type { BatchRanks, ComputeDtype, Pass } from '../network/index.js';
import type { Classifier } from './classifier.js';
import { classifierWith, passWith } from './members.js';

/** The same classifier, whose passes compute in another dtype where the engine can. */
export const withComputeDtype = (model: Classifier, computeDtype: ComputeDtype): Classifier =>
  classifierWith(model, { pass: (images, request) => model.pass(images, { ...request, computeDtype }) });

/** The same classifier, whose BatchNorms normalise with batches that these ranks share; undefined: with those of this process alone. */
export const withBatchRanks = (model: Classifier, ranks: BatchRanks | undefined): Classifier =>
  ranks ? classifierWith(model, { pass: (images, request) => model.pass(images, { ...request, ranks }) }) : model;

/** The same classifier, whose running statistics move by another share of each batch; undefined: by its own. */
export const withStatisticsMomentum = (model: Classifier, momentum: number | undefined): Classifier =>
  momentum === undefined
    ? model
    : classifierWith(model, { applyStatistics: (statistics) => model.applyStatistics(statistics, momentum) });

/** How many batches went through a classifier, and back. */
export interface PassCounts {
  forward: number;
  /** Backward passes, to points or to parameters. */
  backward: number;
}

/** A classifier that counts its passes, batch by batch; otherwise the same. */
export function countingClassifier(model: Classifier): { model: Classifier; counts: PassCounts } {
  const counts: PassCounts = { forward: 0, backward: 0 };
  const counted = (pass: Pass): Pass =>
    passWith(pass, {
      pullback(dLogits, options) {
        counts.backward += dLogits.filter((given) => given !== null).length;
        return pass.pullback(dLogits, options);
      },
    });
  return {
    counts,
    model: classifierWith(model, {
      pass(images, request) {
        counts.forward += images.length;
        return counted(model.pass(images, request));
      },
    }),
  };
}
