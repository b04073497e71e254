import { z } from 'zod';
import type { PluginRegistry, PluginSpec } from '../plugins/index.js';
import { refuseBytes } from '../threat/index.js';
import { checkedSpec, checkReferences } from './check-spec.js';
import { runConfigSchema, threatSection, type RunConfig } from './config.js';
import { lengthsIn } from './config-lengths.js';
import { problemOf, problemsOf, refuse, type Problem } from './config-problems.js';
import { examineConfig, findingText, planOf } from './examine-config.js';
import { runLevel } from './plugin-part.js';
import { parse } from './tolerant-parse.js';

/** Checks the plugin of one of the two sections that mix a plugin's options with the run's own. */
function checkMixed(
  registry: PluginRegistry,
  section: 'data' | 'optimizer',
  config: Partial<RunConfig>,
  problems: Problem[],
): unknown {
  const given = config[section];
  if (!given) return undefined;
  const own = runLevel[section] as readonly string[];
  const entries = Object.entries(given);
  const forPlugin = Object.fromEntries(entries.filter(([key]) => !own.includes(key))) as PluginSpec;
  const forRun = Object.fromEntries(entries.filter(([key]) => own.includes(key)));
  return {
    ...checkedSpec(registry, { kind: section }, forPlugin, { at: [section], problems, besides: own }),
    ...forRun,
  };
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** A list of threat models as what it stands for: the first is that of training, all others are measured besides. */
function withThreats(input: Record<string, unknown>, problems: Problem[]): Record<string, unknown> {
  const { threat, evaluation, ...rest } = input;
  const listed = threat as readonly unknown[];
  const parsed = listed.map((each, i) => parse(threatSection, each, { at: ['threat', i], problems }));
  const refused = (message: string, hint: string) => problems.push({ code: 'CONFIG_INVALID', message, hint });
  if (listed.length === 0)
    refused('threat is an empty list', 'give one threat model, or several: [{ norm: linf, epsilon: 8/255 }, ...]');
  if (isObject(evaluation) && evaluation['threats'] !== undefined)
    refused('threat is a list, and evaluation.threats is given, too', 'write all threat models into threat');
  const [first, ...others] = parsed;
  // what was wrong with an entry is said already
  const whole = parsed.every((each) => each !== undefined) && first !== undefined;
  return {
    ...rest,
    threat: whole ? first : { norm: 'linf', epsilon: 0 },
    evaluation: others.length > 0 && whole ? { ...(evaluation as object), threats: others } : evaluation,
  };
}

/** Two threat models of one norm are refused: a curve over radii is another thing. */
function checkThreats({ threat, evaluation }: Partial<RunConfig>, problems: Problem[]): void {
  const all = [...(threat ? [threat] : []), ...(evaluation?.threats ?? [])].map(({ norm }) => norm);
  const twice = all.find((norm, i) => all.indexOf(norm) !== i);
  if (twice === undefined) return;
  problems.push({
    code: 'CONFIG_INVALID',
    message: `threat names ${twice} twice`,
    hint: 'give one radius for each norm; `bulwark evaluate --epsilons` makes a curve over radii',
  });
}

/** Radii and steps that are written in values of 0 to 255 are refused, as far as that is seen without the data. */
function checkLengths(registry: PluginRegistry, config: Partial<RunConfig>, problems: Problem[]): void {
  for (const length of lengthsIn(registry, runConfigSchema, config, [])) {
    const norm = length.norm ?? config.threat?.norm;
    try {
      if (norm !== undefined) refuseBytes(length, { norm });
    } catch (error) {
      problems.push(problemOf(error));
    }
  }
}

/** Every section of its own, so that one that cannot be read hides nothing of the others. */
function parseSections(input: unknown, problems: Problem[]): Partial<RunConfig> {
  const { shape } = runConfigSchema;
  if (!isObject(input)) {
    parse(runConfigSchema, input, { at: [], problems });
    return {};
  }
  if (Array.isArray(input['threat'])) return parseSections(withThreats(input, problems), problems);
  const strange = Object.fromEntries(Object.entries(input).filter(([key]) => !Object.hasOwn(shape, key)));
  for (const issue of z.strictObject({}).safeParse(strange).error?.issues ?? [])
    problems.push(...problemsOf(issue, { input, at: [], known: Object.keys(shape) }));
  const sections = Object.entries(shape).map(([key, schema]) => [
    key,
    parse(schema, input[key], { at: [key], problems }),
  ]);
  return Object.fromEntries(sections.filter(([, value]) => value !== undefined)) as Partial<RunConfig>;
}

/** Options that cannot both be meant. */
function checkTogether(registry: PluginRegistry, config: Partial<RunConfig>, problems: Problem[]): void {
  for (const found of examineConfig(config, registry))
    if (found.kind === 'contradiction')
      problems.push({ code: 'CONFIG_INVALID', message: findingText(found), hint: found.hint });
}

/**
 * Checks a whole config before any data is read: keys, types, ranges, plugins and their options, at any depth.
 * @param stored it is that of a run, which has trained with it: options that contradict one another are no mistake any more
 * @returns the config with all defaults filled in; composing it again gives the same
 * @throws BulwarkError CONFIG_INVALID or PLUGIN_UNKNOWN, naming everything that is wrong: the path, the value and what is allowed
 */
export function checkConfig(
  input: unknown,
  registry: PluginRegistry,
  { stored = false }: { stored?: boolean } = {},
): RunConfig {
  const problems: Problem[] = [];
  const config = parseSections(input, problems);
  const mixed = {
    data: checkMixed(registry, 'data', config, problems),
    optimizer: checkMixed(registry, 'optimizer', config, problems),
  };
  const place = { at: [], problems, plan: planOf(config) };
  const checked = checkReferences(registry, runConfigSchema, { ...config, ...mixed }, place) as RunConfig;
  checkThreats(checked, problems);
  checkLengths(registry, checked, problems);
  if (!stored) checkTogether(registry, checked, problems);
  refuse(problems);
  return checked;
}
