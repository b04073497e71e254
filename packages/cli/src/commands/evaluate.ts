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
import { probeTrust, tierNames, tiers, transferred } from '@bulwark/core/attacks';
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
import { Command, Option } from 'commander';
import { runCorruptions } from '../evaluate/corruptions.js';
import { checkStandard, claimFile } from '../evaluate/robustbench.js';
import { publishedLines } from '../evaluate/zoo.js';
import { openTarget, type TargetFlags } from '../evaluate/open-target.js';
import { attacksOf, parseImages, planEvaluation, positions } from '../evaluate/plan.js';
import { curveReport, evaluationReport, unionReport } from '../evaluate/report.js';
import { transferFrom } from '../evaluate/transfer.js';
import { evaluationProgress } from '../evaluate/show-progress.js';
import { parseEpsilons, parseThreats } from '../evaluate/threats.js';
import { shardFile, shardJobs } from '../evaluate/shards.js';
import {
  addLaunchFlags,
  checkJobs,
  chooseLauncher,
  retriesOf,
  runJobs,
  type Launch,
  type LaunchFlags,
} from '../launch/index.js';
import { builtinRegistry } from '../registry.js';
import { addFlagRules } from '../terminal/flag-rules.js';
import { onInterrupt } from '../terminal/interrupt.js';
import { numberFlag } from '../terminal/number-flag.js';
import { createOutput } from '../terminal/output.js';
import { parseShard } from '../terminal/shard.js';
import { pluginsOption } from '../trust/policy.js';

interface Flags extends TargetFlags, LaunchFlags {
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
  given: { flags: Flags; file: string; output: ReturnType<typeof createOutput>; count: number },
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

/** Threat models in the order of work; what the flags leave out is the run's. */
function threatsOf(flags: Flags, config: RunConfig): ThreatModel[] {
  if (flags.threats) return parseThreats(flags.threats);
  const own = threatOf(config);
  return flags.epsilons === undefined
    ? [own]
    : parseEpsilons(flags.epsilons, own.norm.name).map((epsilon) => ({ norm: own.norm, epsilon }));
}

/** Norm and radius by which the target is opened where there are several: any of them will do. */
function openingFlags(flags: Flags): Flags {
  const [first] = flags.threats ? parseThreats(flags.threats) : [];
  if (first) return { ...flags, norm: first.norm.name, epsilon: String(first.epsilon) };
  const parts = flags.epsilons?.split(',').map((part) => part.trim());
  const last = parts?.findLast((part) => part !== '0');
  return last === undefined ? flags : { ...flags, epsilon: last };
}

async function run(path: string, flags: Flags): Promise<void> {
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
  const { test } = data;
  const whole = positions(countOf(test), images);
  const shard = flags.shard === undefined ? undefined : parseShard(flags.shard);
  const chosen = shard ? shardPositions(whole.length, shard).map((i) => whole[i]!) : whole;
  const set = subset(test, chosen);
  const fileOf = ({ norm, epsilon }: ThreatModel) => {
    const whole = flags.out ?? join(target.folder, `${tier}-${norm.name}-${epsilon.toFixed(4)}.json`);
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
      const probes = () => probeTrust({ model, data: set, threat, seed });
      return await evaluate({
        ...{ model, data: set, attacks, threat, batchSize, seed, repeats, tier, previous },
        ...(smaller && { smaller }),
        ...(flags.threats && { together: threats }),
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
  } else if (flags.threats) {
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

const examples = `
Examples:
  bulwark evaluate runs/st-awp
  bulwark evaluate runs/st-awp --tier full
  bulwark evaluate runs/st-awp --attacks pgd:steps=100 cw-linf autoattack:version=plus
  bulwark evaluate model.safetensors --model resnet18 --data cifar10 --epsilon 8/255 --tier fast
  bulwark evaluate runs/st-awp --tier full --robustbench st-awp.json
  bulwark evaluate runs/st-awp --attacks pgd --transfer-from runs/at
  bulwark evaluate runs/st-awp --corruptions
  bulwark evaluate runs/st-awp --tier full --shard 3/8
  bulwark evaluate runs/st-awp --tier full --merge 8
  bulwark evaluate runs/st-awp --tier full --shards 8 --launcher slurm:partition=gpu:gpus=1
  bulwark evaluate runs/st-awp --attacks apgd:loss=dlr --norm l2 --epsilon 0.5 --images 1000
  bulwark evaluate runs/st-awp --epsilons 0,2/255,4/255,8/255,16/255 --attacks pgd fmn
  bulwark evaluate runs/max --threats linf:8/255 l2:0.5 l1:12 --tier fast
An evaluation that was interrupted goes on when the same command is given again.`;

/** `bulwark evaluate <run | weights>`. */
export function evaluateCommand(): Command {
  const command = new Command('evaluate')
    .description('attack a trained model and report its robust accuracy')
    .argument('<target>', 'run folder, or weights file (.safetensors, .pt)')
    .option(
      '--attacks <specs...>',
      'attacks, each with its options after colons: pgd:steps=50:restarts=2 autoattack; worst case over all',
    )
    .addOption(
      new Option('--tier <name>', 'how much effort instead of --attacks (default: quick)').choices([...tierNames]),
    )
    .option('--checkpoint <kind>', 'best or last checkpoint of a run (default: best if there is one)')
    .option('--config <file>', 'config with model, data and threat of a weights file')
    .option('--zoo <id>', 'a published model of RobustBench that a weights file holds; `bulwark models` lists them')
    .option('--from <place>', 'where in a weights file the network is, if several fit: state_dict_ema, ...')
    .option('--model <name>', 'model of a weights file, without a config')
    .option('--data <name>', 'data set for a weights file, without a config')
    .option('--norm <name>', 'linf, l2 or l1 instead of the norm of the run')
    .option('--epsilon <radius>', 'radius instead of that of the run, for example 8/255')
    .option(
      '--epsilons <list>',
      'accuracy over radius: 0,2/255,4/255,8/255; what is broken within one is broken in the next',
    )
    .option('--threats <specs...>', 'several norms, each with its radius, and their union: linf:8/255 l2:0.5 l1:12')
    .option('--images <n>', 'number of test images, spread over the test set; first:<n> for the first, all for all')
    .option('--batch <n>', 'images per batch', '250')
    .option('--seed <n>', 'seed of the attack noise', '0')
    .option('--repeats <n>', 'passes by which a randomised model is judged: the most frequent answer counts', '1')
    .option('--engine <name>', 'engine instead of that of the run')
    .option(...pluginsOption)
    .option('--out <file>', 'result file (default: in the run folder under evaluation/)')
    .option('--fresh', 'begin again instead of continuing the result file')
    .option('--shard <i/n>', 'only the i-th of n parts of the images, for several machines')
    .option('--merge <n>', 'make one result of the n parts, with the same other flags')
    .option('--shards <n>', 'have n parts measured by jobs, and make one result of them')
    .option(
      '--transfer-from <target>',
      'run the attacks on this run or weights file, too, and show its examples to the model',
    )
    .option(
      '--corruptions [data]',
      'accuracy under common corruptions instead of attacks (default: cifar10-c or cifar100-c of the model; or cifar10-c:folder=...)',
    )
    .option(
      '--robustbench <file>',
      "write the result as RobustBench's model_info (.json) and AutoAttack's log lines (.log)",
    )
    .option('--no-probes', 'leave out the trust checks that attack again (large epsilon, more steps)')
    .option('--json', 'print the result as JSON and nothing else')
    .addHelpText('after', examples);
  addFlagRules(
    command,
    { flags: ['shard'], excludes: ['shards', 'merge'] },
    { flags: ['merge'], excludes: ['shards'] },
    { flags: ['robustbench'], excludes: ['shard', 'epsilons', 'threats'] },
    { flags: ['transfer-from'], excludes: ['merge'] },
    {
      flags: ['corruptions'],
      excludes: 'attacks tier norm epsilon epsilons threats seed shard shards merge robustbench transfer-from'.split(
        ' ',
      ),
    },
    { flags: ['fresh'], excludes: ['shards', 'merge'] },
    { flags: ['epsilons'], excludes: ['epsilon', 'threats', 'out', 'shards'] },
    { flags: ['threats'], excludes: ['norm', 'epsilon', 'out', 'shards', 'zoo'] },
  );
  return addLaunchFlags(command, 'shards').action((path: string, flags: Flags) => run(path, flags));
}
