import type { TinyGolden } from '@bulwark/models';
import { createComparison, type Comparison } from './comparison.js';
import { isObject, type Golden } from './golden.js';
import { runProcedural } from './model/procedural.js';
import { runCounts, runShapes, runState } from './model/structure.js';
import { runStudy, runTiny, type StudyGolden } from './model/trained.js';
import { runZoo, runZooStates, runZooTable } from './model/zoo.js';
import type { CaseContext, CaseRunner, VerifyRow } from './types.js';

type Run = (json: Golden, context: CaseContext, comparison: Comparison) => void;

/** The formats of model cases, by a field that only they have. */
function formatOf(json: Golden): Run | undefined {
  if (isObject(json['weight_map'])) return () => undefined;
  switch (json['schema']) {
    case 'bulwark-zoo-model/1':
      return runZoo;
    case 'bulwark-zoo-table/1':
      return (golden, _, comparison) => runZooTable(golden, comparison);
    case 'bulwark-zoo-state/1':
      return (golden, _, comparison) => runZooStates(golden, comparison);
  }
  if ('param_grad_l2_train' in json) return (golden, ...rest) => runTiny(golden as TinyGolden & Golden, ...rest);
  if ('logits_float64' in json) return (golden, ...rest) => runStudy(golden as StudyGolden & Golden, ...rest);
  if ('image_first_pixels' in json) return (golden, _, comparison) => runProcedural(golden, comparison);
  if (Array.isArray(json['entries'])) return (golden, _, comparison) => runState(golden, comparison);
  const { models } = json;
  if (Array.isArray(models) && isObject(models[0]) && 'params_10' in models[0])
    return (golden, _, comparison) => runCounts(golden, comparison);
  if (isObject(models)) return (golden, _, comparison) => runShapes(golden, comparison);
  return undefined;
}

/** Architectures and weights: logits, gradients, statistics, counts, names and shapes of the official models. */
export const modelCases: CaseRunner = {
  kind: 'model',
  matches: (json) => isObject(json) && formatOf(json) !== undefined,
  run(json, context): Promise<VerifyRow[] | undefined> {
    // the index of a sharded file is data of the case beside it
    if (isObject((json as Golden)['weight_map'])) return Promise.resolve(undefined);
    const comparison = createComparison();
    formatOf(json as Golden)!(json as Golden, context, comparison);
    return Promise.resolve(comparison.rows());
  },
};
