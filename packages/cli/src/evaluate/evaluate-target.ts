import { join, resolve } from 'node:path';
import { countOf, factsOf, type EvaluationResult, type ThreatModel, type TransferSource } from '@bulwark/core';
import { tiers } from '@bulwark/core/attacks';
import { loadEvaluation, lockEvaluation, saveEvaluation } from '@bulwark/core/evaluation';
import type { LaunchFlags } from '../launch/index.js';
import { builtinRegistry } from '../registry.js';
import { onInterrupt } from '../terminal/interrupt.js';
import { createOutput, type Output } from '../terminal/output.js';
import { parseShard } from '../terminal/shard.js';
import { runCorruptions } from './corruptions.js';
import { openTarget } from './open-target.js';
import { answer, askOf, measure, type Answer, type Attacked, type Question } from './question.js';
import { curveReport, evaluationReport, unionReport } from './report.js';
import { resultName } from './result-name.js';
import { checkStandard, claimFile, type ClaimFile } from './robustbench.js';
import { readSettings, type QuestionFlags } from './settings.js';
import { measureShards, mergeShards, shardFile } from './shards.js';
import { evaluationProgress } from './show-progress.js';
import { openingFlags } from './threats.js';
import { publishedLines } from './zoo.js';

/** Flags of `bulwark evaluate`. */
export interface EvaluateFlags extends QuestionFlags, LaunchFlags {
  readonly attacks?: readonly string[];
  readonly shards?: string;
  readonly out?: string;
  readonly fresh?: boolean;
  readonly shard?: string;
  readonly merge?: string;
  readonly robustbench?: string;
  readonly corruptions?: string | true;
  readonly json?: boolean;
}

/** Measures one threat model of a question; goes on where its file stopped. */
async function measureInto(
  file: string,
  given: { question: Question; attacked: Attacked; smaller: EvaluationResult | undefined; flags: EvaluateFlags },
  output: Output,
): Promise<EvaluationResult> {
  const { question, attacked, smaller, flags } = given;
  const { target, data } = question;
  const { norm, epsilon } = attacked.threat;
  const previous = flags.fresh ? undefined : await loadEvaluation(file);
  output.line(`${target.model.name}, ${target.what}, engine ${target.engine.name}`);
  output.line(
    `${countOf(data)} of ${countOf(target.data.test)} test images of ${target.data.name}, ${norm.name} epsilon ${epsilon.toFixed(5)}`,
  );
  if (previous) output.line(`continuing ${file}`);
  const progress = evaluationProgress(output);
  const interrupt = onInterrupt(output);
  try {
    return await measure(question, attacked, {
      ...(previous && { previous }),
      ...(smaller && { smaller }),
      save: (state) => saveEvaluation(file, state),
      progress: progress.report,
      notice: ({ id, what, hint }) => {
        progress.clear();
        output.warn(`trust check ${id}: ${what}; ${hint}`);
      },
      signal: interrupt.signal,
    });
  } finally {
    progress.clear();
    interrupt.release();
  }
}

/** Writes a claim and says what is missing of it. */
function writeClaim(claim: ClaimFile, { target, data, batchSize }: Question, result: EvaluationResult): string[] {
  const architecture = factsOf(target.model).architecture ?? target.config.model;
  return claim.write(result, { model: architecture, data: target.config.data.use, batchSize, images: data });
}

/** What several threat models come to together, or the one result. */
function tellTogether({ results, curve, union }: Answer, files: readonly string[], output: Output): void {
  const [result] = results as [EvaluationResult];
  if (curve) {
    for (const line of curveReport(result, curve)) output.line(line);
    output.result({ files, norm: result.threat.norm, curve });
  } else if (union) {
    for (const line of unionReport(results, union)) output.line(line);
    const threats = results.map(({ threat, worst: { accuracy, interval, flags } }) => ({
      ...threat,
      ...{ accuracy, interval, flags },
    }));
    output.result({ files, threats, union });
  } else output.result({ file: files[0], ...result });
}

/** Attacks a run or weights file, in one threat model or several, and reports what came of it. */
export async function evaluateTarget(path: string, flags: EvaluateFlags): Promise<void> {
  const output = createOutput(flags);
  const settings = readSettings(flags);
  const warn = (text: string) => output.warn(text);
  const claim = flags.robustbench === undefined ? undefined : claimFile(flags.robustbench, settings.specs);
  const target = await openTarget(path, openingFlags(flags), { registry: builtinRegistry(), warn });
  let source: TransferSource | undefined;
  try {
    const { corruptions, shards, merge } = flags;
    if (corruptions !== undefined) return await runCorruptions(target, { ...flags, corruptions }, output);
    const shard = flags.shard === undefined ? undefined : parseShard(flags.shard);
    const parts = shards ?? merge;
    const fileOf = (threat: ThreatModel) => {
      const whole = resolve(flags.out ?? join(target.folder, resultName(settings.tier, threat)));
      return shard ? shardFile(whole, shard) : whole;
    };
    // jobs open the other model themselves
    const asked = shards === undefined ? flags : { ...flags, transferFrom: undefined };
    const question = await askOf(target, asked, { settings, shard, warn });
    source = question.source;
    const { model, data } = target;
    if (claim) checkStandard(question.attacked[0]!.attacks, model.classes);
    if (shards !== undefined) {
      const file = fileOf(question.attacked[0]!.threat);
      if (!(await measureShards(path, { flags: { ...flags, shards }, file, output }))) return;
    }
    const meaning = settings.tier === 'custom' ? undefined : tiers[settings.tier].meaning;
    const given = { question, flags };
    const found = await answer(question, async (attacked, smaller) => {
      const { threat } = attacked;
      const file = fileOf(threat);
      const lock = lockEvaluation(file);
      try {
        const result =
          parts === undefined
            ? await measureInto(file, { ...given, attacked, smaller }, output)
            : await mergeShards(file, parts, { model, data: question.data, threat });
        for (const line of evaluationReport(result, { classNames: data.classNames, meaning })) output.line(line);
        if (flags.zoo !== undefined) for (const line of publishedLines(flags.zoo, result)) output.line(line);
        output.line(`\nwritten to ${file}\n`);
        if (!claim) return result;
        const gaps = writeClaim(claim, question, result);
        output.line(`RobustBench's entry written to ${flags.robustbench}, AutoAttack's log beside it`);
        for (const gap of gaps) output.warn(`the claim cannot be submitted as it is: ${gap}`);
        return result;
      } finally {
        lock.release();
      }
    });
    const files = question.attacked.map(({ threat }) => fileOf(threat));
    tellTogether(found, files, output);
  } finally {
    target.model.dispose();
    source?.model.dispose();
  }
}
