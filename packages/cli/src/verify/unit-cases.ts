import { createComparison } from './comparison.js';
import { isObject, malformed, type Golden } from './golden.js';
import type { CaseRunner } from './types.js';
import { discrepancyUnit } from './units/discrepancies.js';
import { batchNormUnit, convolutionUnit } from './units/layers.js';
import { distillUnit, elleUnit, fusionUnit, iklWeightsUnit, moreObjectivesUnit } from './units/methods.js';
import { objectivesUnit } from './units/objectives.js';
import { geometryUnit, projectionUnit, schedulesUnit, sgdUnit, weightPerturbationUnit } from './units/optimization.js';
import { cutmixUnit, emaUnit, moreSchedulesUnit } from './units/recipe.js';
import { rstUnit } from './units/rst.js';
import type { UnitRunner } from './units/unit.js';

const units: Readonly<Record<string, UnitRunner>> = {
  'unit-discrepancy': discrepancyUnit,
  'unit-objectives-2': moreObjectivesUnit,
  'unit-objectives': objectivesUnit,
  'unit-distill': distillUnit,
  'unit-elle': elleUnit,
  'unit-ikl-weights': iklWeightsUnit,
  'unit-cutmix': cutmixUnit,
  'unit-ema': emaUnit,
  'unit-ramp-gp': fusionUnit,
  'unit-bn': batchNormUnit,
  'unit-conv': convolutionUnit,
  'unit-sgd': sgdUnit,
  'unit-schedules-2': moreSchedulesUnit,
  'unit-schedules': schedulesUnit,
  'unit-awp': weightPerturbationUnit,
  'unit-gair': geometryUnit,
  'unit-projection': projectionUnit,
  'unit-rst': rstUnit,
};

/** Small cases of single functions, `id` = `unit-...`. */
export const unitCases: CaseRunner = {
  kind: 'unit',
  matches: (json) => isObject(json) && String(json['id']).startsWith('unit-'),
  async run(json) {
    const id = String((json as Golden)['id']);
    // several files of one kind may differ behind the name: unit-sgd-nesterov
    const name = Object.keys(units).find((known) => id === known || id.startsWith(`${known}-`));
    if (!name) throw malformed(`${id} is not a known unit case; known: ${Object.keys(units).join(', ')}`);
    const comparison = createComparison();
    units[name]!(json as Golden, comparison);
    return comparison.rows();
  },
};
