import { apgdCase, fabCase, squareCase } from './attacks/iterative.js';
import { ensembleCase } from './attacks/ensemble.js';
import { fixedStepCase, isFixedStep } from './attacks/fixed-step.js';
import { checksCase, classifierCase, lossesCase, projectionsCase } from './attacks/functions.js';
import { withSetting, type Setting } from './attacks/setting.js';
import { caseName } from './case-files.js';
import { createComparison, type Comparison } from './comparison.js';
import { isObject, type Golden } from './golden.js';
import type { CaseRunner } from './types.js';

type Run = (json: Golden, bench: { setting: Setting; comparison: Comparison; name: string }) => Promise<void> | void;

/** What to do with a file, by its form; `data` for a file that only serves others. */
function runOf(json: Golden, name: string): Run | 'data' | undefined {
  const has = (...fields: string[]) => fields.every((key) => key in json);
  if (has('arch', 'layers')) return 'data';
  if (has('images_uint8', 'logits')) return classifierCase;
  if (has('on_logits')) return (file, { comparison }) => lossesCase(file, comparison);
  if (has('tags', 'out', 'l1_ball_box')) return (file, { comparison }) => projectionsCase(file, comparison);
  if (has('randomized', 'range_output')) return (file, { comparison }) => checksCase(file, comparison);
  if (has('blocks')) return ensembleCase;
  if (has('rho', 'runs', 'n_examples')) return apgdCase;
  if (has('alpha_max', 'runs', 'n_examples')) return fabCase;
  if (has('run_50')) return squareCase;
  if (isFixedStep(name) && has('classifier', 'eps')) return (file, bench) => fixedStepCase(file, name, bench);
  return undefined;
}

/** Cases of attacks on the small classifier beside them (`toy_a_model`, `toy_a_images`), replayed draw by draw. */
export const attackCases: CaseRunner = {
  kind: 'attack',
  matches: (json, file) => isObject(json) && runOf(json, caseName(file)) !== undefined,
  async run(json, context) {
    const name = caseName(context.file);
    const run = runOf(json as Golden, name);
    if (run === undefined || run === 'data') return undefined;
    const comparison = createComparison();
    await withSetting(context, (setting) => run(json as Golden, { setting, comparison, name }));
    return comparison.rows();
  },
};
