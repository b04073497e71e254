import * as tf from '../tensor/index.js';
import type { Batch } from '../batch.js';
import { logitsOf, type Classifier } from '../classifier/index.js';
import type { Attack } from '../hooks/index.js';
import type { Violation } from './recheck.js';
import type { AttackEntry, TrustFinding } from './result.js';
import { callsGradients, isRandomised, looksLikeProbabilities } from './trust-signs.js';

/** What each finding means and what to do: one place for the texts, shown in reports and in the guide. */
export const trustTexts = {
  'randomised-output': {
    meaning:
      'The model answers differently to the same input, so single gradients and single answers mislead every attack.',
    hint: 'judge by several passes (--repeats 20) with the rand version of autoattack (gradients averaged over 20), or make the model deterministic',
  },
  'softmax-output': {
    meaning:
      'The model seems to return probabilities. Cross-entropy saturates on them and gradients vanish; robustness looks higher than it is.',
    hint: 'return logits: remove the softmax at the end of the model',
  },
  'dynamic-behaviour': {
    meaning:
      'The model computes gradients while it classifies. Attacks differentiate through one answer only and miss such a defence.',
    hint: 'evaluate with an adaptive attack made for this defence; the figures here are upper bounds',
  },
  'too-few-classes': {
    meaning:
      'DLR needs 3 classes, targeted DLR 4: with fewer, the margin stands in for it. Where there are fewer other classes than targets, all of them are targets.',
    hint: 'report the attacks as they are labelled: with the margin, the figure is not that of AutoAttack',
  },
  'zero-gradient': {
    meaning:
      'The gradient of the loss is exactly zero at the start, so white-box attacks do not move: the sign of gradient masking.',
    hint: 'look for saturation, rounding or non-differentiable steps in the model; trust only attacks without gradients (square)',
  },
  'square-better': {
    meaning:
      'A random search found more than the attacks with gradients: gradients mislead, which is gradient masking.',
    hint: 'treat the white-box figures as upper bounds; run square with more queries and an adaptive attack',
  },
  'pgd-gap': {
    meaning:
      'PGD leaves many more examples standing than AutoAttack: the model makes the cross-entropy attack fail without being robust.',
    hint: 'report the AutoAttack figure; for choosing checkpoints prefer the margin loss (cw-linf) or apgd-t',
  },
  'constraint-violated': {
    meaning: 'An attack returned misclassified points outside the ball or the pixel range. They were not counted.',
    hint: 'repair the attack: project its points with the threat model before it returns them',
  },
  'attack-not-finite': {
    meaning: 'An attack returned candidates with NaN or infinite pixels. They were not counted.',
    hint: 'repair the attack: a division by a gradient or norm of zero is the usual cause',
  },
  'model-not-finite': {
    meaning:
      'The model answers NaN or infinity to points of the ball, so nobody knows how it classifies them. They were not counted.',
    hint: 'repair the model: the figures are upper bounds while it gives such answers',
  },
  'not-zero-at-large-epsilon': {
    meaning:
      'Accuracy does not fall to chance although the ball contains every image: the attack fails, not the adversary.',
    hint: 'the figures are upper bounds; look for gradient masking and evaluate with square and an adaptive attack',
  },
  'preprocessing-masks': {
    meaning:
      'What is done to images before the network sees them keeps gradients from it: attacks that pass it as if it changed nothing (BPDA) break more.',
    hint: 'the figures of attacks with gradients are upper bounds; attack straightThrough(model), and run square',
  },
  'transfer-better': {
    meaning:
      'Examples made on another model break more than the same attack on this one: its own gradients mislead, which is gradient masking.',
    hint: 'treat the white-box figures as upper bounds; run square and an adaptive attack',
  },
  'more-steps-worse': {
    meaning: 'More gradient steps broke fewer examples: gradients lead away from adversarial points.',
    hint: 'look for noise or saturation in the gradients; use apgd and square',
  },
} as const satisfies Record<string, { meaning: string; hint: string }>;
/** A trust check by its name. */
export type TrustFindingId = keyof typeof trustTexts;

/** A finding with what was seen. */
export const trustFinding = (id: TrustFindingId, what: string): TrustFinding => ({ id, what, ...trustTexts[id] });

/** Number of forward passes that the randomness check compares. */
const repetitions = 5;

const usesDlr = ({ label, settings }: Attack) => String(settings?.['loss'] ?? label).includes('dlr');
const targetsOf = ({ settings }: Attack) => Number(settings?.['targets'] ?? 0);
const isTargeted = ({ settings }: Attack) =>
  String(settings?.['loss']).endsWith('-targeted') ||
  (settings?.['loss'] === undefined && Number(settings?.['targets'] ?? 0) > 0);

/** Too few classes for what is asked, as AutoAttack warns; undefined where all is well. */
export function tooFewClasses(classes: number, attacks: readonly Attack[]): string | undefined {
  const dlr = attacks.filter(usesDlr);
  const many = attacks.filter((attack) => isTargeted(attack) && targetsOf(attack) + 1 > classes);
  if (dlr.length > 0 && classes <= 3) {
    const instead = dlr.map((attack) => ({ attack, fitting: attack.forClasses?.(classes) ?? attack }));
    const other = instead.filter(({ attack, fitting }) => fitting !== attack);
    const said = other.map(({ attack, fitting }) => `${fitting.label} instead of ${attack.label}`).join(', ');
    return `${dlr[0]!.label} on a model with ${classes} classes${said && `: ${said}`}`;
  }
  if (many.length > 0)
    return `${many[0]!.label} asks for ${targetsOf(many[0]!)} targets; the model has ${classes} classes`;
  return undefined;
}

/** What can be seen before any attack, on the first batch. */
export async function checkModelOutput(
  model: Classifier,
  batch: Batch,
  { attacks, repeats = 1 }: { attacks: readonly Attack[]; repeats?: number },
): Promise<TrustFinding[]> {
  const findings: TrustFinding[] = [];
  const parts = attacks.flatMap((attack) => attack.stages ?? [attack]);
  const outputs: Float32Array[] = [];
  const dynamic = callsGradients(() => logitsOf(model, batch.images).dispose());
  const averages = parts.some(({ settings }) => Number(settings?.['eot'] ?? 1) > 1);
  for (let i = 0; i < repetitions; i++) {
    const logits = logitsOf(model, batch.images);
    outputs.push(Float32Array.from(await logits.data()));
    tf.dispose(logits);
  }
  const labels = await batch.labels.data();
  // who averages both gradients and answers knows
  const random = averages && repeats > 1 ? undefined : isRandomised(outputs, labels, model.classes);
  if (random) findings.push(trustFinding('randomised-output', random));
  if (looksLikeProbabilities(outputs[0]!, model.classes))
    findings.push(trustFinding('softmax-output', 'every row of the output lies in [0, 1] and sums to 1'));
  if (dynamic) findings.push(trustFinding('dynamic-behaviour', 'a plain forward pass asked the engine for gradients'));
  const few = tooFewClasses(model.classes, parts);
  if (few) findings.push(trustFinding('too-few-classes', few));
  return findings;
}

/** AutoAttack's comparison: square against the best of all other accuracies, the clean one among them. */
export function squareIsBetter(accuracies: Readonly<Record<string, number>>): boolean {
  const { square, ...others } = accuracies;
  const rest = Object.values(others);
  return square !== undefined && rest.length >= 2 && square < Math.min(...rest) - 0.002;
}

/** Points of accuracy between PGD and AutoAttack that are usual; published models stay below. */
const usualGap = 0.05;

/** Images that an attack has broken, with the stages of its ensemble before it. */
function brokenBy(entry: AttackEntry, entries: readonly AttackEntry[]): boolean[] {
  const upTo = entries.slice(0, entries.indexOf(entry));
  const group = [...upTo.filter(({ ensemble }) => ensemble !== undefined && ensemble === entry.ensemble), entry];
  return [...entry.flags].map((_, i) => group.some(({ flags }) => flags[i] === '0'));
}

/** Whether one attack breaks more than another beyond chance (McNemar's test on the images that only one of them breaks), and by 2 points. */
function breaksMore(one: AttackEntry, other: AttackEntry, entries: readonly AttackEntry[]): boolean {
  const [first, second] = [brokenBy(one, entries), brokenBy(other, entries)];
  const onlyFirst = first.filter((flag, i) => flag && !second[i]).length;
  const onlySecond = second.filter((flag, i) => flag && !first[i]).length;
  const more = onlyFirst - onlySecond;
  return more > 0.02 * first.length && more > 2 * Math.sqrt(onlyFirst + onlySecond);
}

const percent = (share: number) => `${(100 * share).toFixed(1)} %`;

/** Whose fault candidates are that do not count. */
const refusals: readonly (readonly [TrustFindingId, readonly Violation[]])[] = [
  ['constraint-violated', ['outside-ball', 'outside-pixel-range']],
  ['attack-not-finite', ['not-finite']],
  ['model-not-finite', ['logits-not-finite']],
];

/** What the finished attacks tell. */
export function checkOutcome(
  entries: readonly AttackEntry[],
  { clean, count }: { clean: number; count: number },
): TrustFinding[] {
  const findings: TrustFinding[] = [];
  for (const { label, zeroGradients, rejected } of entries) {
    if (zeroGradients > 0)
      findings.push(trustFinding('zero-gradient', `${label}: zero gradient on ${zeroGradients} of ${count} examples`));
    for (const [id, reasons] of refusals) {
      const refused = reasons.filter((why) => (rejected[why] ?? 0) > 0);
      if (refused.length > 0)
        findings.push(trustFinding(id, `${label}: ${refused.map((why) => `${rejected[why]} ${why}`).join(', ')}`));
    }
  }
  const done = entries.filter((entry) => entry.done);
  for (const foreign of done.filter(({ settings }) => settings['from'] !== undefined))
    for (const here of done.filter(({ label }) => foreign.label.startsWith(`${label}-from-`)))
      if (breaksMore(foreign, here, done))
        findings.push(
          trustFinding(
            'transfer-better',
            `${foreign.label} left ${percent(foreign.accuracy)}, ${here.label} ${percent(here.accuracy)}`,
          ),
        );
  // what examples of another model achieve says nothing of this one's gradients
  const own = done.filter(({ settings }) => settings['from'] === undefined);
  for (const ensemble of new Set(own.flatMap((entry) => (entry.ensemble === undefined ? [] : [entry.ensemble])))) {
    const stages = own.filter((entry) => entry.ensemble === ensemble);
    const accuracies = Object.fromEntries(
      stages.map(({ label, accuracy }) => [label.startsWith('square') ? 'square' : label, accuracy]),
    );
    if (squareIsBetter({ clean, ...accuracies }))
      findings.push(
        trustFinding(
          'square-better',
          `${ensemble}: square left ${percent(accuracies['square']!)}, the attacks with gradients more`,
        ),
      );
    const worst = Math.min(...stages.map(({ accuracy }) => accuracy));
    for (const { label, accuracy } of own)
      if (label.startsWith('pgd') && ensemble.startsWith('autoattack') && accuracy > worst + usualGap)
        findings.push(trustFinding('pgd-gap', `${label} left ${percent(accuracy)}, ${ensemble} ${percent(worst)}`));
  }
  return findings;
}
