import { surrounded, evaluate, type AutoAttackOptions, type Classifier } from '@bulwark/core';
import { autoAttack } from '@bulwark/core/attacks';
import { goldenRandom } from '@bulwark/core/testing';
import * as tf from '@tensorflow/tfjs-core';
import { within, type Comparison } from '../comparison.js';
import { field, isObject, type Golden } from '../golden.js';
import { threatOfCase, type Setting } from './setting.js';

interface Stage {
  readonly attack: string;
  readonly robust: string;
}

const ones = (flags: string) => [...flags].filter((flag) => flag === '1').length;

/** Options of the official run that a block of a file describes. */
function optionsOf(block: Golden, json: Golden): AutoAttackOptions {
  const version = field(block, 'version') as AutoAttackOptions['version'];
  const alone = block['attacks'] as AutoAttackOptions['attacks'] | null;
  const queries = Number(json['square_queries'] ?? (alone ? 1000 : 5000));
  return {
    version,
    queries,
    ...(alone && { attacks: alone, restarts: 1 }),
    ...(version === 'rand' && { eot: 2 }),
  };
}

/** The classifier, or its gradient-masked variant that rounds images to levels first. */
function classifierOf(model: Classifier, levels: unknown): Classifier {
  if (levels === undefined) return model;
  const n = Number(levels);
  return surrounded(model, { before: (x) => tf.div(tf.floor(tf.mul(x, n)), n) });
}

/** AutoAttack over all images: flags after every stage, equal where all official runs agree, else within 2 of 64. */
export async function ensembleCase(
  json: Golden,
  { setting, comparison }: { setting: Setting; comparison: Comparison },
): Promise<void> {
  for (const block of (field(json, 'blocks') as unknown[]).filter(isObject)) {
    const [run] = field(block, 'runs') as [{ seed: number; stages: Stage[]; clean: string }];
    const stable = field(block, 'stable') as Record<string, string>;
    const threat = threatOfCase(block['norm'], block['eps']);
    const attack = autoAttack(optionsOf(block, json), threat.norm.name);
    const result = await evaluate({
      ...{ model: classifierOf(setting.model, json['levels']), data: setting.images, attacks: [attack], threat },
      batchSize: Number(block['bs'] ?? 250),
      // the official code reseeds before every batch
      randomFor: () => goldenRandom(run.seed),
    });
    const where = `${String(block['version'])} ${threat.norm.name} ${threat.epsilon.toFixed(3)}`;
    comparison.compare(
      { quantity: 'clean flags', part: where },
      [...result.clean.flags].map(Number),
      [...run.clean].map(Number),
      within(0),
    );
    let flags = [...result.clean.flags];
    for (const { attack: label, robust } of run.stages) {
      const entry = result.attacks.find((candidate) => candidate.label === label);
      if (!entry) {
        comparison.fail('stable flags off', `${where}: ${label} was not run`);
        continue;
      }
      flags = flags.map((flag, i) => (entry.flags[i] === '0' ? '0' : flag));
      const unequal = flags.filter((flag, i) => stable[label]?.[i] === '1' && flag !== robust[i]).length;
      const part = `${where} ${label}`;
      // l1 with large radii counts rounding residues in the official code: only the number is comparable
      const l1 = threat.norm.sparse;
      comparison.compare({ quantity: 'stable flags off', part }, l1 ? 0 : unequal, 0, within(0));
      comparison.compare({ quantity: 'robust images', part }, ones(flags.join('')), ones(robust), within(l1 ? 4 : 2));
    }
  }
}
