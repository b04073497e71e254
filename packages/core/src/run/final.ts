import type { RunSummary } from '../hooks/index.js';
import { restoreModel, type CheckpointKind, type CheckpointStore, type TrainingResult } from '../trainer/index.js';

/** Measures the best and the last checkpoint; `measure` sees the model that is restored for it. The last stays in the model. */
export async function finalCheckpoints(options: {
  store: Pick<CheckpointStore, 'load'>;
  model: Parameters<typeof restoreModel>[1];
  result: TrainingResult;
  measure?: () => Promise<Record<string, number>>;
}): Promise<Pick<RunSummary, 'best' | 'last' | 'gap'>> {
  const { store, model, result, measure } = options;
  const { best, history } = result;
  const accuracyOf = async (kind: CheckpointKind) => {
    restoreModel(store.load(kind), model);
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
