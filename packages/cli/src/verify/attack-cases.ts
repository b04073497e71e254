import { apgdCase, fabCase, squareCase } from './attacks/iterative.js';
import { ensembleCase } from './attacks/ensemble.js';
import { fixedStepCase, isFixedStep } from './attacks/fixed-step.js';
import { checksCase, classifierCase, lossesCase, projectionsCase } from './attacks/functions.js';
import { deepFoolCase } from './attacks/deepfool.js';
import { minimumNormCase } from './attacks/minimum-norm.js';
import { apgdPerturbCase, fabPerturbCase } from './attacks/perturb.js';
import { pgdRstCase, squareSeedsCase } from './attacks/restarts.js';
import { unionCase } from './attacks/union.js';
import { isClassifier, withSetting, type Setting } from './attacks/setting.js';
import { caseName } from './case-files.js';
import { createComparison, type Comparison } from './comparison.js';
import { isObject, type Golden } from './golden.js';
import type { CaseRunner } from './types.js';

type Run = (json: Golden, bench: { setting: Setting; comparison: Comparison; name: string }) => Promise<void> | void;

type RunAlone = (json: Golden, comparison: Comparison) => void;

/** Cases of functions, which need no classifier. */
function aloneOf(json: Golden): RunAlone | undefined {
  const has = (...fields: string[]) => fields.every((key) => key in json);
  if (has('on_logits')) return lossesCase;
  if (has('tags', 'out', 'l1_ball_box')) return projectionsCase;
  if (has('randomized', 'range_output')) return checksCase;
  return undefined;
}

/** What to do with a file on a classifier, by its form. */
function runOf(json: Golden, name: string): Run | undefined {
  const has = (...fields: string[]) => fields.every((key) => key in json);
  if (has('images_uint8', 'logits')) return classifierCase;
  if (has('blocks')) return ensembleCase;
  if (has('rho', 'runs', 'n_examples')) return apgdCase;
  if (has('alpha_max', 'runs', 'n_examples')) return fabCase;
  if (String(json['schema']).startsWith('bulwark-minnorm/')) return minimumNormCase;
  if (String(json['schema']).startsWith('bulwark-union/')) return (file, bench) => unionCase(file, bench);
  if (has('run_50')) return squareCase;
  const [run] = Array.isArray(json['runs']) ? (json['runs'] as unknown[]).filter(isObject) : [];
  const runHas = (...fields: string[]) => run !== undefined && fields.every((key) => key in run);
  if (has('max_iter', 'overshoot') && runHas('name')) return deepFoolCase;
  if (runHas('label', 'robust')) return String(run!['label']).startsWith('apgd') ? apgdPerturbCase : fabPerturbCase;
  if (runHas('robust_after_all', 'seeds')) return (file, bench) => pgdRstCase(file, bench);
  if (has('n_queries') && runHas('seed', 'queries_used')) return squareSeedsCase;
  if (isFixedStep(name) && has('classifier', 'eps')) return (file, bench) => fixedStepCase(file, name, bench);
  return undefined;
}

/** Cases of attacks on a small classifier, which is in a file of the folder or comes with Bulwark, replayed draw by draw. */
export const attackCases: CaseRunner = {
  kind: 'attack',
  matches: (json, file) =>
    isClassifier(json) || (isObject(json) && (aloneOf(json) ?? runOf(json, caseName(file))) !== undefined),
  async run(json, context) {
    // weights only serve other cases
    if (isClassifier(json)) return undefined;
    const name = caseName(context.file);
    const comparison = createComparison();
    const [alone, run] = [aloneOf(json as Golden), runOf(json as Golden, name)];
    const { classifier, name: own } = json as Golden;
    if (alone) alone(json as Golden, comparison);
    else if (run)
      await withSetting(context, classifier ?? own, (setting) => run(json as Golden, { setting, comparison, name }));
    return comparison.rows();
  },
};
