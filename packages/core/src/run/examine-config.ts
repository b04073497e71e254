import {
  contradiction,
  doubt,
  type Finding,
  type PluginRegistry,
  type PluginSpec,
  type RunPlan,
} from '../plugins/index.js';
import type { Progress, Schedule } from '../hooks/index.js';
import { counted } from '../counted.js';
import { shown } from '../files/index.js';
import { norms } from '../threat/index.js';
import { pluginPart } from './plugin-part.js';
import { runConfigSchema, type RunConfig } from './config.js';
import { examineReferences, examineSpec, type PlacedFinding } from './examine-options.js';

/** What a config says of its run before anything is read; undefined where it does not say it. */
export const planOf = ({ threat, epochs }: Partial<RunConfig>): RunPlan | undefined =>
  threat && { threat: { norm: norms[threat.norm], epsilon: threat.epsilon }, epochs: epochs ?? Infinity };

/** Places at which schedules are looked at within an epoch. */
const looks = 20;

/** Below this share of the base rate a schedule has not come up to it. */
const nearBase = 0.9;

/** The default of SGD's momentum and of AdamW's beta1. */
const usualMomentum = 0.9;

const percent = (share: number) => `${Number((100 * share).toPrecision(3))} %`;

/** A schedule of which this run sees too little. */
function ofSchedule({ use }: PluginSpec, schedule: Pick<Schedule, 'factor'>, { epochs }: RunPlan): Finding[] {
  const places = Array.from({ length: Math.min(epochs, 1000) * looks }, (_, i): Progress => {
    const at = Math.floor(i / looks);
    return { epoch: at, epochs, step: i % looks, stepsPerEpoch: looks };
  });
  const factors = places.map((place) => schedule.factor(place));
  const [least, most] = [Math.min(...factors), Math.max(...factors)];
  const run = `the run has ${counted(epochs, 'epoch')}`;
  const hint = 'fit the schedule to epochs';
  if (least === most && use !== 'constant')
    return [doubt(`schedule is ${use}, and ${run}: the learning rate stays at ${percent(most)} of learningRate`, hint)];
  if (most >= nearBase) return [];
  return [
    doubt(`schedule is ${use}, and ${run}: the learning rate never exceeds ${percent(most)} of learningRate`, hint),
  ];
}

/** What momentum is (beta1 of AdamW), where the schedule moves it. */
function ofMomentum({ momentum, beta1 }: PluginSpec, schedule: Schedule, { epochs }: RunPlan): Finding[] {
  const at = (epoch: number, step: number) => schedule.momentum?.({ epoch, epochs, step, stepsPerEpoch: looks });
  const [first, last] = [at(0, 0), at(epochs - 1, looks - 1)];
  if (first === undefined) return [];
  if (momentum === 0)
    return [contradiction('momentum is 0, and schedule moves it', 'set momentum to 0.9, or choose another schedule')];
  const [name, own] = momentum === undefined ? ['beta1', beta1] : ['momentum', momentum];
  return own === undefined || [usualMomentum, first, last].includes(own as number)
    ? []
    : [doubt(`${name} is ${shown(own)} and has no effect: schedule sets it in every step`, 'give schedule.momentum')];
}

/** Optimizer and schedule together; `known`: what was found of either alone. */
function ofOptimizer(config: Partial<RunConfig>, registry: PluginRegistry, known: readonly PlacedFinding[]): Finding[] {
  const { optimizer } = config;
  const plan = planOf(config);
  const schedule = optimizer && madeSchedule(registry, optimizer.schedule);
  if (!schedule || !plan || !Number.isFinite(plan.epochs)) return [];
  const said = known.some(({ place }) => place === 'optimizer.schedule');
  return [...(said ? [] : ofSchedule(optimizer.schedule, schedule, plan)), ...ofMomentum(optimizer, schedule, plan)];
}

/** A schedule is a pure function, which may be made to be asked. */
function madeSchedule(registry: PluginRegistry, { use, ...options }: PluginSpec): Schedule | undefined {
  const plugin = registry.list('schedule').find(({ name }) => name === use);
  const parsed = plugin?.options.safeParse(options);
  return parsed?.success ? (plugin!.create(parsed.data, {} as never) as Schedule) : undefined;
}

/** Sizes of the batches. */
const ofBatches = ({ data }: Partial<RunConfig>): Finding[] =>
  data && data.accumulate > data.batchSize
    ? [
        contradiction(
          `accumulate is ${data.accumulate}, and batchSize ${data.batchSize}: a part has no image`,
          `set accumulate to ${data.batchSize} at most`,
        ),
      ]
    : [];

/** Settings of a guard that never rolls back, or rolls back to no end. */
function ofGuard({ guard, callbacks }: Partial<RunConfig>): Finding[] {
  if (!guard) return [];
  const { onFailure, overfitting, factor, retries, collapse } = guard;
  const found: Finding[] = [];
  const say = (text: string, hint: string) => void found.push(doubt(text, hint));
  const back =
    onFailure === 'rollback' ? 'onFailure' : overfitting.action === 'rollback' ? 'overfitting.action' : undefined;
  if (!back && (factor !== 0.1 || retries !== 3))
    say(
      `${factor === 0.1 ? `retries is ${retries}` : `factor is ${factor}`} and has no effect: onFailure is ${onFailure}, and overfitting.action ${overfitting.action}`,
      'set one of these to rollback',
    );
  if (back && retries === 0)
    say(`${back} is rollback, and retries is 0: the run stops at once`, `set retries to 1 or more, or ${back} to stop`);
  else if (back && factor === 1)
    say(`${back} is rollback, and factor is 1: the same steps fail again`, 'set factor below 1');
  if (collapse.epochs === 0 && collapse.margin !== 0.01)
    say(
      `collapse.margin is ${collapse.margin} and has no effect: collapse.epochs is 0`,
      'set collapse.epochs to 1 or more',
    );
  if (overfitting.share === 0 && overfitting.action !== 'warn')
    say(
      `overfitting.action is ${overfitting.action} and has no effect: overfitting.share is 0`,
      'set overfitting.share to 0.5',
    );
  if (guard.callbacks === 'stop' && callbacks?.length === 0)
    say('callbacks is stop and has no effect: the run has none', 'leave it out');
  return found;
}

/** All that is to be said of options together, contradictions and doubts, as far as it is seen without data. */
export function examineConfig(config: Partial<RunConfig>, registry: PluginRegistry): PlacedFinding[] {
  const plan = planOf(config);
  const sections = (['data', 'optimizer'] as const).flatMap((kind) =>
    config[kind] ? examineSpec(registry, { kind, spec: pluginPart(kind, config), at: [kind], plan }) : [],
  );
  const named = examineReferences(registry, { schema: runConfigSchema, value: config, at: [], plan });
  const placed = (place: string, found: readonly Finding[]) => found.map((finding) => ({ ...finding, place }));
  return [
    ...placed('data', ofBatches(config)),
    ...sections,
    ...named,
    ...placed('optimizer', ofOptimizer(config, registry, named)),
    ...placed('guard', ofGuard(config)),
  ];
}

/** A finding in one sentence. */
export const findingText = ({ place, text }: PlacedFinding): string => `${place}: ${text}`;
