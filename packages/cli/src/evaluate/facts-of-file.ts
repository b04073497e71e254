import { BulwarkError, type ModelFacts, type PluginRegistry } from '@bulwark/core';
import type { WeightsFile } from '@bulwark/models';

type Json = Record<string, unknown>;

const asSection = (value: unknown): Json | undefined => {
  if (typeof value === 'string') return { use: value };
  return typeof value === 'object' && value !== null ? (value as Json) : undefined;
};

const shown = (value: unknown) => (typeof value === 'string' ? value : JSON.stringify(value));

/** What a file says of its network; of another tool's file at most the normalisation is known. */
type Known = Pick<ModelFacts, 'architecture' | 'normalize' | 'threat' | 'data'>;

/** What the command line or config leaves open, taken from the weights file; `notes` says what. */
export interface Completed {
  readonly input: Json;
  readonly notes: readonly string[];
}

/** The model section with the options that it does not write, of those that its plugin knows. */
function completeModel(given: Json | undefined, facts: Known, registry: PluginRegistry) {
  const { architecture, normalize } = facts;
  const { use: theirs = undefined, ...options } = architecture ?? {};
  if (!given && !architecture) return { model: undefined, taken: [] as string[] };
  const use = given?.['use'] ?? theirs;
  const plugin = registry.list('model').find(({ name }) => name === use);
  const offered: Json = { ...(use === theirs && options), ...(normalize && { normalize }) };
  const known = (option: string) => !plugin || Object.hasOwn(plugin.options.shape, option);
  const open = Object.entries(offered).filter(([option]) => known(option) && given?.[option] === undefined);
  const usual = (plugin?.options.safeParse({}).data ?? {}) as Json;
  const taken = open
    .filter(([option, value]) => !given || JSON.stringify(usual[option]) !== JSON.stringify(value))
    .map(([option, value]) => `${option} ${shown(value)}`);
  return {
    model: { ...given, use, ...Object.fromEntries(open) },
    taken: [...(given ? [] : [String(use)]), ...taken],
  };
}

/**
 * A config for weights that know what they are: model options, data set and threat model that the config does not write come from
 * the file. What it does write stays, and loading refuses it where it contradicts the file.
 */
export function completeFromFacts(
  input: Json,
  { facts, normalize }: Pick<WeightsFile, 'facts' | 'normalize'>,
  context: { registry: PluginRegistry; path: string },
): Completed {
  const known: Known = facts ?? (normalize ? { normalize } : {});
  const { model, taken } = completeModel(asSection(input['model']), known, context.registry);
  const several = Array.isArray(input['threat']);
  const threat = (several ? undefined : asSection(input['threat'])) ?? {};
  const radius = !several && known.threat && threat['epsilon'] === undefined && threat['norm'] === undefined;
  const data = input['data'] === undefined && known.data !== undefined;
  const notes = [
    ...(taken.length > 0 ? [`model: ${taken.join(', ')}`] : []),
    ...(data ? [`data ${known.data}`] : []),
    ...(radius ? [`threat ${known.threat!.norm}, epsilon ${known.threat!.epsilon}`] : []),
  ];
  return {
    input: {
      ...input,
      ...(model && { model }),
      ...(data && { data: { use: known.data } }),
      threat: several ? input['threat'] : { ...(radius && known.threat), ...threat },
    },
    notes: notes.length > 0 ? [`taken from ${context.path}: ${notes.join('; ')}`] : [],
  };
}

/** @throws BulwarkError USAGE, if what is needed stands neither in the flags nor in the file */
export function needWhole(input: Json): void {
  const missing = [
    ...(input['model'] === undefined ? ['--model'] : []),
    ...(input['data'] === undefined ? ['--data'] : []),
    ...((input['threat'] as Json | undefined)?.['epsilon'] === undefined ? ['--epsilon'] : []),
  ];
  if (missing.length > 0)
    throw new BulwarkError(
      'USAGE',
      `these weights do not say what they are: ${missing.join(', ')} ${missing.length > 1 ? 'are' : 'is'} missing`,
      { hint: 'give --model, --data and --epsilon, or --config <file> with model, data and threat' },
    );
}
