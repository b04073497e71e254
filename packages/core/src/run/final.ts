import { restoreModel, type CheckpointKind, type EpochMetrics, type TrainingResult } from '../trainer/index.js';
import type { RunFolder } from './run-folder.js';

/** One of the two checkpoints that a run ends with. */
export interface FinalCheckpoint {
  readonly epoch: number;
  /** Accuracies on the validation split when it was saved; it may have been chosen by them. */
  readonly validation?: Readonly<Record<string, number>>;
  /** Accuracies on the images of `evaluation.final`. */
  readonly accuracy?: Readonly<Record<string, number>>;
}

/** What a finished run reports: the best and the last checkpoint, and what stopping early was worth. */
export interface RunSummary {
  readonly name: string;
  readonly seed: number;
  readonly engine: string;
  /** True if the passes of attacks in training were computed in bfloat16. */
  readonly reducedPrecision?: true;
  /** How the run was computed where that was not float32 throughout, in words. */
  readonly arithmetic?: string;
  /** False if the engine need not give the same bits again: resumed or repeated, such a run may end a little differently. */
  readonly repeatable?: false;
  /** Why the engine ran passes of this model op by op, where it usually runs passes whole. */
  readonly opByOpBecause?: string;
  readonly epochs: number;
  /** Validation accuracy that chose the best checkpoint. */
  readonly selectedBy?: string;
  /** Images that `accuracy` was measured on. */
  readonly split: 'test' | 'validation' | 'none';
  readonly images?: number;
  readonly best?: FinalCheckpoint & { readonly value: number; readonly metric: string };
  readonly last: FinalCheckpoint & EpochMetrics;
  /** Accuracy of the best checkpoint less that of the last, by the accuracy that chose it: robust overfitting. */
  readonly gap?: number;
  readonly rollbacks: number;
}

/** Measures the best and the last checkpoint; `measure` sees the model that is restored for it. The last stays in the model. */
export async function finalCheckpoints(options: {
  folder: RunFolder;
  model: Parameters<typeof restoreModel>[1];
  result: TrainingResult;
  measure?: () => Promise<Record<string, number>>;
}): Promise<Pick<RunSummary, 'best' | 'last' | 'gap'>> {
  const { folder, model, result, measure } = options;
  const { best, history } = result;
  const accuracyOf = async (kind: CheckpointKind) => {
    restoreModel(folder.checkpoints.load(kind), model);
    return measure?.();
  };
  const ofBest = best && best.epoch !== history.length ? await accuracyOf('best') : undefined;
  const ofLast = await accuracyOf('last');
  const last = { ...history.at(-1)!, ...(ofLast && { accuracy: ofLast }) };
  if (!best) return { last };
  const accuracy = best.epoch === history.length ? ofLast : ofBest;
  const { validation } = history[best.epoch - 1]!;
  const key = best.metric;
  const gap = accuracy?.[key] === undefined ? undefined : accuracy[key] - ofLast![key]!;
  return { best: { ...best, validation, ...(accuracy && { accuracy }) }, last, ...(gap !== undefined && { gap }) };
}
