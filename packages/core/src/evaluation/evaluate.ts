import * as tf from '../tensor/index.js';
import { checkImageSet, countOf, disposeBatch, takeExamples, type ImageSet } from '../batch.js';
import type { Classifier } from '../classifier/index.js';
import { BulwarkError } from '../errors.js';
import { letOthersRun } from '../event-loop.js';
import type { Attack } from '../hooks/index.js';
import { createRandom, type Random } from '../random.js';
import { refuseBytes, type ThreatModel } from '../threat/index.js';
import { answersOf } from './answers.js';
import { arithmeticInUse, arithmeticOf } from './arithmetic.js';
import { fingerprintData, fingerprintModel } from './fingerprint.js';
import { checkNorm, judge } from './judge.js';
import { Ledger } from './ledger.js';
import type { EvaluationResult, TrustFinding } from './result.js';
import { checkModelOutput, checkOutcome } from './trust.js';

/** Where an evaluation is. */
export interface EvaluationProgress {
  readonly label: string;
  readonly ensemble?: string;
  /** This attack's place in the list, from 0, and the length of the list. */
  readonly stage: number;
  readonly stages: number;
  /** Share of this attack's examples that are done, in [0, 1]. */
  readonly share: number;
  /** Seconds until this attack is done, once there is something to judge by. */
  readonly eta?: number;
  /** Share of all examples that no attack has broken so far. */
  readonly robust: number;
}

/** What to evaluate, and against what. */
export interface Evaluation {
  readonly model: Classifier;
  readonly data: ImageSet;
  /** An attack with `stages` is run stage by stage on the survivors; the others attack every example that is correct when clean. */
  readonly attacks: readonly Attack[];
  /** With epsilon 0 no attack is run: the robust accuracy is the clean accuracy. */
  readonly threat: ThreatModel;
  /** All threat models of one question, this one among them; each is evaluated by itself, `unionOf` says who withstands all. */
  readonly together?: readonly ThreatModel[];
  readonly batchSize?: number;
  readonly seed?: number;
  /**
   * Passes by which images and candidates are judged, for models that answer differently each time: the most frequent answer counts; default 1.
   * How many gradients an attack averages is its own option (`eot`).
   */
  readonly repeats?: number;
  /** The generator for one batch of one attack; default: a new one of seed, attack and position, so that a resumed run draws the same. */
  readonly randomFor?: (purpose: string) => Random;
  /** Recorded in the result; default `custom`. */
  readonly tier?: string;
  /** A result to continue or extend; finished attacks are not repeated. */
  readonly previous?: EvaluationResult;
  /**
   * A result of the same model and images within a smaller radius of the same norm: what an attack broke there counts as broken here, and what
   * an attack found there that seeks the smallest perturbation is not sought again. So accuracy never rises with the radius.
   */
  readonly smaller?: EvaluationResult;
  /** Called after every batch with the result so far. */
  readonly save?: (result: EvaluationResult) => void | Promise<void>;
  /** Called between iterations. */
  readonly progress?: (progress: EvaluationProgress) => void;
  /** Hears of every finding as soon as it shows, once: those about the model before the first attack. */
  readonly notice?: (finding: TrustFinding) => void;
  /** Stops between iterations; what was saved stays. */
  readonly signal?: AbortSignal;
  /** Further trust checks, which may attack the model again (`probeTrust` of the attacks). */
  readonly probes?: () => Promise<readonly TrustFinding[]>;
}

/** One attack in the order of work; stages of an ensemble name it. */
interface Stage {
  readonly attack: Attack;
  readonly ensemble?: string;
}

const stagesOf = (attacks: readonly Attack[]): Stage[] =>
  attacks.flatMap((attack): Stage[] =>
    attack.stages ? attack.stages.map((stage) => ({ attack: stage, ensemble: attack.label })) : [{ attack }],
  );

function checkRequest({ model, data, threat, attacks, batchSize = 250, repeats = 1 }: Evaluation): void {
  const fail = (code: 'BATCH_INVALID' | 'CONFIG_INVALID', what: string, hint: string): never => {
    throw new BulwarkError(code, `evaluation: ${what}`, { hint });
  };
  if (countOf(data) === 0) fail('BATCH_INVALID', 'the image set is empty', 'evaluate at least one image');
  checkImageSet(data, { name: 'evaluation', classes: model.classes });
  const unlabelled = data.labels.findIndex((label) => label < 0);
  if (unlabelled >= 0) fail('BATCH_INVALID', `example ${unlabelled} has no label`, 'evaluate labelled images');
  if (data.shape.join() !== model.inputShape.join())
    fail(
      'BATCH_INVALID',
      `images are ${data.shape.join('x')}, the model takes ${model.inputShape.join('x')}`,
      'use the data that the model was made for',
    );
  if (!(threat.epsilon >= 0 && Number.isFinite(threat.epsilon)))
    fail(
      'CONFIG_INVALID',
      `epsilon is ${threat.epsilon}; allowed are finite numbers from 0`,
      'for images in [0, 1], 8/255 is usual in linf',
    );
  refuseBytes({ name: 'evaluation: epsilon', value: threat.epsilon }, { norm: threat.norm.name, shape: data.shape });
  if (!Number.isInteger(batchSize) || batchSize < 1)
    fail('CONFIG_INVALID', `batchSize is ${batchSize}; allowed are integers from 1`, 'use 250');
  if (!Number.isInteger(repeats) || repeats < 1)
    fail('CONFIG_INVALID', `repeats is ${repeats}; allowed are integers from 1`, 'use 1, or 20 for a randomised model');
  if (attacks.length === 0) fail('CONFIG_INVALID', 'the list of attacks is empty', 'name at least one attack');
  attacks.forEach((attack) => checkNorm(attack, threat));
}

/** Clean logits and predictions in `eval` mode. @throws BulwarkError MODEL_INVALID where a logit is NaN or infinite */
async function cleanAnswers({
  model,
  data,
  batchSize = 250,
  repeats,
}: Evaluation): Promise<{ predictions: Int32Array; logits: Float32Array }> {
  const predictions = new Int32Array(countOf(data));
  const all = new Float32Array(predictions.length * model.classes);
  for (const indices of batchesOf([...predictions.keys()], batchSize)) {
    const batch = takeExamples(data, indices);
    const { classes, logits, notFinite } = await answersOf(model, batch.images, repeats);
    disposeBatch(batch);
    if (logits.length !== indices.length * model.classes)
      throw new BulwarkError(
        'MODEL_INVALID',
        `the model answers ${logits.length / indices.length} numbers for each image; it says that it has ${model.classes} classes`,
        { hint: 'return one logit for each class: [batch, classes]' },
      );
    const bad = notFinite.findIndex((value) => value !== undefined);
    if (bad >= 0)
      throw new BulwarkError('MODEL_INVALID', `the logits of example ${indices[bad]} contain ${notFinite[bad]}`, {
        hint: 'the weights are broken or training diverged; evaluate an earlier checkpoint',
      });
    predictions.set(classes, indices[0]);
    all.set(logits, indices[0]! * model.classes);
    await letOthersRun();
  }
  return { predictions, logits: all };
}

/** Rows of a table of so many columns. */
function rowsOf(table: Float32Array, indices: readonly number[], columns: number): tf.Tensor2D {
  const rows = new Float32Array(indices.length * columns);
  indices.forEach((from, to) => rows.set(table.subarray(from * columns, (from + 1) * columns), to * columns));
  return tf.tensor2d(rows, [indices.length, columns]);
}

function batchesOf(indices: readonly number[], batchSize: number): number[][] {
  return Array.from({ length: Math.ceil(indices.length / batchSize) }, (_, b) =>
    indices.slice(b * batchSize, (b + 1) * batchSize),
  );
}

/**
 * Runs attacks and keeps, per example, the worst case over all of them. Every candidate is checked here: inside the ball, inside [0, 1],
 * finite, truly misclassified. A candidate that breaks the rules is counted as rejected and changes nothing else.
 * @throws BulwarkError BATCH_INVALID, CONFIG_INVALID, MODEL_INVALID, ATTACK_INVALID; USAGE where `previous` belongs to another model, data
 *   or threat; INTERRUPTED
 * @category Programs
 */
export async function evaluate(evaluation: Evaluation): Promise<EvaluationResult> {
  checkRequest(evaluation);
  const { model, data, threat, batchSize = 250, seed = 0, repeats = 1, tier = 'custom', previous, signal } = evaluation;
  const randomFor = evaluation.randomFor ?? ((purpose: string) => createRandom(seed, purpose));
  const said = new Set<string>();
  /** Tells once of each kind of finding about each attack. */
  const notice = (found: readonly TrustFinding[]) => {
    for (const finding of found) {
      const about = `${finding.id} ${finding.what.split(':')[0]}`;
      if (!said.has(about)) evaluation.notice?.(finding);
      said.add(about);
    }
  };
  const firstBatch = takeExamples(data, [...data.labels.keys()].slice(0, batchSize));
  const findings = await checkModelOutput(model, firstBatch, evaluation);
  disposeBatch(firstBatch);
  notice(findings);
  const attacks = evaluation.attacks.map((attack) => attack.forClasses?.(model.classes) ?? attack);
  const identity = { model: await fingerprintModel(model), data: fingerprintData(data) };
  const { together } = evaluation;
  const how = { ...arithmeticOf([arithmeticInUse()]), ...(together && { together }) };
  const request = { model, data, threat, seed, repeats, tier, identity, ...how };
  const clean = previous ? undefined : await cleanAnswers(evaluation);
  const ledger = previous ? Ledger.continue(previous, request) : Ledger.start(request, clean!.predictions);
  const stages = stagesOf(attacks);
  const keys = ledger.plan(stages);
  if (evaluation.smaller) ledger.adopt(evaluation.smaller);
  const result = () => ledger.result([...findings, ...checkOutcome(ledger.entries, ledger)]);

  const interrupt = () => {
    if (signal?.aborted)
      throw new BulwarkError('INTERRUPTED', 'the evaluation was interrupted; finished batches are kept', {
        hint: 'run the same command again to continue',
      });
  };

  for (const [s, { attack, ensemble }] of stages.entries()) {
    const work = ledger.begin(keys[s]!, { skipAll: threat.epsilon === 0 });
    const batches = batchesOf(work.pending, batchSize);
    const started = performance.now();
    for (const [b, indices] of batches.entries()) {
      interrupt();
      const batch = takeExamples(data, indices);
      const report = (share: number) => {
        interrupt();
        const done = (b * batchSize + share * indices.length) / work.pending.length;
        const seconds = (performance.now() - started) / 1000;
        evaluation.progress?.({
          label: attack.label,
          ...(ensemble === undefined ? {} : { ensemble }),
          stage: s,
          stages: stages.length,
          share: done,
          ...(done > 0 ? { eta: (seconds / done) * (1 - done) } : {}),
          robust: ledger.robustShare,
        });
      };
      // a continued evaluation did not ask; the most frequent of several answers has no logits
      const known = clean && repeats === 1 ? rowsOf(clean.logits, indices, model.classes) : undefined;
      let zeroGradients = 0;
      const { candidates, verdicts, seconds } = await judge(attack, batch, {
        model,
        threat,
        repeats,
        ...(known && { clean: { model, images: batch.images, logits: known } }),
        random: randomFor(`evaluation/${keys[s]}/${indices[0]}`),
        // the end of a batch is reported below, when its outcome is known
        progress: (share) => (share < 1 ? report(share) : interrupt()),
        observe: ({ kind, perExample }) => {
          if (kind === 'zero-gradient') zeroGradients += Array.from(perExample ?? []).filter((flag) => flag > 0).length;
        },
      });
      candidates.dispose();
      known?.dispose();
      disposeBatch(batch);
      ledger.record(keys[s]!, { indices, verdicts, seconds, zeroGradients });
      report(1);
      const state = result();
      notice(state.findings);
      await evaluation.save?.(state);
      await letOthersRun();
    }
    ledger.end(keys[s]!);
  }
  interrupt();
  const probed = await evaluation.probes?.().catch((error: unknown) => {
    interrupt();
    throw error;
  });
  findings.push(...(probed ?? []));
  const final = result();
  notice(final.findings);
  await evaluation.save?.(final);
  return final;
}
