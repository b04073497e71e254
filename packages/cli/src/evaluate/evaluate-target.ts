import { statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import {
  BulwarkError,
  countOf,
  evaluate,
  factsOf,
  subset,
  type EvaluationResult,
  type RunConfig,
  type ThreatModel,
  type TierName,
} from '@bulwark/core';
import { probeTrust, tiers, transferred } from '@bulwark/core/attacks';
import {
  accuracyCurve,
  checkNorm,
  loadEvaluation,
  lockEvaluation,
  mergeEvaluations,
  saveEvaluation,
  shardPositions,
  unionOf,
} from '@bulwark/core/evaluation';
import { threatOf } from '@bulwark/core/run';
import { runCorruptions } from './corruptions.js';
import { checkStandard, claimFile } from './robustbench.js';
import { publishedLines } from './zoo.js';
import { openTarget, type TargetFlags } from './open-target.js';
import { attacksOf, parseImages, planEvaluation, positions } from './plan.js';
import { curveReport, evaluationReport, unionReport } from './report.js';
import { transferFrom } from './transfer.js';
import { resultName } from './result-name.js';
import { evaluationProgress } from './show-progress.js';
import { parseEpsilons, parseThreats } from './threats.js';
import { shardFile, shardJobs } from './shards.js';
import { checkJobs, chooseLauncher, retriesOf, runJobs, type Launch, type LaunchFlags } from '../launch/index.js';
import { builtinRegistry } from '../registry.js';
import { onInterrupt } from '../terminal/interrupt.js';
import { numberFlag } from '../terminal/number-flag.js';
import { createOutput } from '../terminal/output.js';
import { parseShard } from '../terminal/shard.js';

/** Flags of `bulwark evaluate`. */
export interface EvaluateFlags extends TargetFlags, LaunchFlags {
  readonly shards?: string;
  readonly epsilons?: string;
  readonly threats?: string[];
  readonly attacks?: string[];
  readonly tier?: TierName;
  readonly images?: string;
  readonly batch: string;
  readonly seed: string;
  readonly repeats: string;
  readonly out?: string;
  readonly fresh?: boolean;
  readonly shard?: string;
  readonly merge?: string;
  readonly robustbench?: string;
  readonly corruptions?: string | true;
  readonly transferFrom?: string;
  readonly probes: boolean;
  readonly json?: boolean;
}

/** The results of all shards as one, written to `file`. @throws BulwarkError USAGE where one is missing or does not fit */
async function merge(
  file: string,
  text: string,
  request: Parameters<typeof mergeEvaluations>[1],
): Promise<EvaluationResult> {
  const count = numberFlag('merge', text, { min: 1, integer: true });
  const shards: EvaluationResult[] = [];
  for (let index = 1; index <= count; index++) {
    const name = shardFile(file, { index, count });
    const result = await loadEvaluation(name);
    if (!result)
      throw new BulwarkError('USAGE', `${name} is missing`, { hint: `evaluate with --shard ${index}/${count}` });
    shards.push(result);
  }
  const merged = await mergeEvaluations(shards, request);
  await saveEvaluation(file, merged);
  return merged;
}

/** Has every part measured by a job of its own. @returns whether all parts are there */
async function measureShards(
  path: string,
  given: { flags: EvaluateFlags; file: string; output: ReturnType<typeof createOutput>; count: number },
): Promise<boolean> {
  const { flags, file, output, count } = given;
  const warn = (text: string) => output.warn(text);
  const chosen = await chooseLauncher(flags, { registry: builtinRegistry(), warn });
  const { signal, release } = onInterrupt(output);
  const root = statSync(path).isDirectory() ? resolve(path) : dirname(resolve(path));
  const launch: Launch = { ...chosen, root, output, signal, retries: retriesOf(flags), wait: flags.wait };
  try {
    const jobs = shardJobs(path, { flags: { ...flags }, file, name: basename(file, '.json'), count });
    const result = await runJobs(jobs, launch);
    checkJobs(result, launch);
    return result.pending.length === 0;
  } finally {
    release();
  }
}

/** Whether the run's list of threat models is what is measured: where no flag says another, and one file will not do for all. */
const measuresAll = (flags: EvaluateFlags, { evaluation }: RunConfig): boolean =>
  (evaluation.threats ?? []).length > 0 &&
  (['norm', 'epsilon', 'epsilons', 'threats', 'out', 'shard', 'shards', 'merge', 'robustbench', 'zoo'] as const).every(
    (flag) => flags[flag] === undefined,
  );

/** Threat models in the order of work; what the flags leave out is the run's. */
function threatsOf(flags: EvaluateFlags, config: RunConfig): ThreatModel[] {
  if (flags.threats) return parseThreats(flags.threats);
  const own = threatOf(config);
  if (measuresAll(flags, config)) return [own, ...config.evaluation.threats!.map((threat) => threatOf({ threat }))];
  return flags.epsilons === undefined
    ? [own]
    : parseEpsilons(flags.epsilons, own.norm.name).map((epsilon) => ({ norm: own.norm, epsilon }));
}

/** Norm and radius by which the target is opened where there are several: any of them will do. */
function openingFlags(flags: EvaluateFlags): EvaluateFlags {
  const [first] = flags.threats ? parseThreats(flags.threats) : [];
  if (first) return { ...flags, norm: first.norm.name, epsilon: String(first.epsilon) };
  const parts = flags.epsilons?.split(',').map((part) => part.trim());
  const last = parts?.findLast((part) => part !== '0');
  return last === undefined ? flags : { ...flags, epsilon: last };
}

/** Attacks a run or weights file, in one threat model or several, and reports what came of it. */
export async function evaluateTarget(path: string, flags: EvaluateFlags): Promise<void> {
  const output = createOutput(flags);
  const { tier, specs, images } = planEvaluation({ ...flags, images: parseImages(flags.images) });
  const batchSize = numberFlag('batch', flags.batch, { min: 1, integer: true });
  const seed = numberFlag('seed', flags.seed, { min: 0, integer: true });
  const repeats = numberFlag('repeats', flags.repeats, { min: 1, integer: true });
  const warn = (text: string) => output.warn(text);
  const claim = flags.robustbench === undefined ? undefined : claimFile(flags.robustbench, specs);
  const target = await openTarget(path, openingFlags(flags), { registry: builtinRegistry(), warn });
  if (flags.corruptions !== undefined) {
    const { corruptions, out, fresh } = flags;
    const { count: most, fromStart } = parseImages(flags.images) ?? { count: Infinity, fromStart: true };
    if (fromStart && most < Infinity)
      throw new BulwarkError('USAGE', `--images ${flags.images}: images of corruptions are spread over each of them`, {
        hint: `write --images ${most}`,
      });
    const asked = { corruptions, batchSize, repeats, out, fresh, ...(most < Infinity && { images: most }) };
    return runCorruptions(target, asked, output).finally(() => target.model.dispose());
  }
  const { model, data, config, engine, what } = target;
  const threats = threatsOf(flags, config);
  const several = flags.threats !== undefined || measuresAll(flags, config);
  const { test } = data;
  const whole = positions(countOf(test), images);
  const shard = flags.shard === undefined ? undefined : parseShard(flags.shard);
  const chosen = shard ? shardPositions(whole.length, shard).map((i) => whole[i]!) : whole;
  const set = subset(test, chosen);
  const fileOf = (threat: ThreatModel) => {
    const whole = flags.out ?? join(target.folder, resultName(tier, threat));
    return shard && parts === undefined ? shardFile(resolve(whole), shard) : resolve(whole);
  };
  const meaning = tier === 'custom' ? undefined : tiers[tier].meaning;
  const parts = flags.shards ?? flags.merge;
  if (flags.shards !== undefined) {
    const count = numberFlag('shards', flags.shards, { min: 1, integer: true });
    if (!(await measureShards(path, { flags, file: fileOf(threats[0]!), output, count }))) return model.dispose();
  }
  const source =
    flags.transferFrom === undefined || flags.shards !== undefined
      ? undefined
      : await transferFrom(flags.transferFrom, { target, plugins: flags.plugins, warn });
  const attacked = threats.map((threat) => {
    const own = attacksOf(specs, target, threat);
    const foreign = source ? own.map((attack) => transferred(attack, source)) : [];
    return { threat, file: fileOf(threat), attacks: [...own, ...foreign] };
  });
  for (const { threat, attacks } of attacked) attacks.forEach((attack) => checkNorm(attack, threat));
  if (claim) checkStandard(attacked[0]!.attacks, model.classes);
  const measure = async (
    { threat, file, attacks }: (typeof attacked)[number],
    smaller: EvaluationResult | undefined,
  ) => {
    const previous = flags.fresh ? undefined : await loadEvaluation(file);
    output.line(`${model.name}, ${what}, engine ${engine.name}`);
    output.line(
      `${countOf(set)} of ${countOf(test)} test images of ${data.name}, ${threat.norm.name} epsilon ${threat.epsilon.toFixed(5)}`,
    );
    if (previous) output.line(`continuing ${file}`);
    const progress = evaluationProgress(output);
    const interrupt = onInterrupt(output);
    try {
      const probes = () => probeTrust({ model, data: set, threat, seed, signal: interrupt.signal });
      return await evaluate({
        ...{ model, data: set, attacks, threat, batchSize, seed, repeats, tier, previous },
        ...(smaller && { smaller }),
        ...(several && { together: threats }),
        save: (state) => saveEvaluation(file, state),
        progress: progress.report,
        notice: ({ id, what, hint }) => {
          progress.clear();
          output.warn(`trust check ${id}: ${what}; ${hint}`);
        },
        signal: interrupt.signal,
        ...(flags.probes && tier !== 'quick' && { probes }),
      });
    } finally {
      progress.clear();
      interrupt.release();
    }
  };
  const results: { file: string; result: EvaluationResult }[] = [];
  try {
    for (const each of attacked) {
      const { file, threat } = each;
      const lock = lockEvaluation(file);
      try {
        const merged = parts !== undefined && (await merge(file, parts, { model, data: set, threat }));
        const smaller = flags.epsilons === undefined ? undefined : results.at(-1)?.result;
        const result = merged || (await measure(each, smaller));
        for (const line of evaluationReport(result, { classNames: data.classNames, meaning })) output.line(line);
        if (flags.zoo !== undefined) for (const line of publishedLines(flags.zoo, result)) output.line(line);
        output.line(`\nwritten to ${file}\n`);
        if (claim) {
          const architecture = factsOf(model).architecture ?? config.model;
          const gaps = claim.write(result, { model: architecture, data: config.data.use, batchSize });
          output.line(`RobustBench's entry written to ${flags.robustbench}, AutoAttack's log beside it`);
          for (const gap of gaps) output.warn(`the claim cannot be submitted as it is: ${gap}`);
        }
        results.push({ file, result });
      } finally {
        lock.release();
      }
    }
  } finally {
    model.dispose();
    source?.model.dispose();
  }
  const all = results.map(({ result }) => result);
  const [{ file, result }] = results as [(typeof results)[number]];
  if (flags.epsilons !== undefined) {
    const curve = accuracyCurve(all);
    for (const line of curveReport(result, curve)) output.line(line);
    output.result({ files: results.map((each) => each.file), norm: result.threat.norm, curve });
  } else if (several) {
    const union = unionOf(all);
    for (const line of unionReport(all, union)) output.line(line);
    output.result({
      files: results.map((each) => each.file),
      threats: all.map(({ threat, worst: { accuracy, interval, flags: standing } }) => ({
        ...threat,
        accuracy,
        interval,
        flags: standing,
      })),
      union,
    });
  } else output.result({ file, ...result });
}
