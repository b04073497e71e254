import type { z } from 'zod';
import { placeOf, shown, type Path } from '../files/index.js';
import {
  conditionOf,
  doubt,
  type Finding,
  type PluginKind,
  type PluginRegistry,
  type PluginSpec,
  type RunPlan,
} from '../plugins/index.js';
import { defaultOf, findLengths, findReferences, findSections, type FoundSection } from './schema-walk.js';

/** A finding, and the section that it is about. */
export interface PlacedFinding extends Finding {
  /** `objective.inner` */
  readonly place: string;
}

/** A length as one would write it: those of many digits that are some 255ths as such. */
const written = (length: number): string => {
  const bytes = Math.round(255 * length);
  return shown(length).length > 6 && Math.abs(255 * length - bytes) < 1e-6 ? `${bytes}/255` : short(length);
};
const short = (value: unknown): string => shown(typeof value === 'number' ? Number(value.toPrecision(4)) : value);

/** Options that are not at their defaults, and do not count beside the others. */
const idle = ({ value, shape }: FoundSection, plan: RunPlan | undefined): Finding[] =>
  Object.entries(shape).flatMap(([key, schema]) => {
    const condition = conditionOf(schema);
    const given = value[key];
    if (!condition || given === undefined || shown(given) === shown(defaultOf(schema))) return [];
    if (condition.holds(value, plan)) return [];
    return [
      doubt(`${key} is ${short(given)} and has no effect: it counts only with ${condition.words}`, 'leave it out'),
    ];
  });

/** An attack of fewer radii than this all in all leaves most of the ball alone. */
const leastReach = 0.5;

/** Steps that together do not come far. */
function reach({ value, path, shape }: FoundSection, plan: RunPlan | undefined): Finding[] {
  const { steps, stepSize, epsilon: own } = value;
  if (typeof steps !== 'number' || typeof stepSize !== 'number' || own !== undefined || !plan) return [];
  if (findLengths(shape['stepSize']!, stepSize).length === 0) return []; // a step in some other unit
  const { norm, epsilon } = plan.threat;
  // a step of l1 goes along few pixels, none of which can move by more than 1
  const length = steps * (norm.sparse ? Math.min(stepSize, 1) : stepSize);
  if (steps === 0 || epsilon === 0 || length >= leastReach * epsilon) return [];
  const place = path.length > 0 ? `${placeOf(path)}.` : '';
  const one = `${place}stepSize is ${written(stepSize)}`;
  return [
    doubt(
      `${place}steps is ${steps}, ${one}: the attack moves by ${written(length)} at most, where threat.epsilon is ${written(epsilon)} (${norm.name})`,
      'take more or larger steps; without stepSize, l2 and l1 take a quarter of epsilon',
    ),
  ];
}

/** All that is to be said of the options of a plugin together, and of the plugins within them. */
export function examineSpec(
  registry: PluginRegistry,
  { kind, spec, at, plan }: { kind: PluginKind; spec: PluginSpec; at: Path; plan?: RunPlan },
): PlacedFinding[] {
  const { use, ...options } = spec;
  const plugin = registry.list(kind).find(({ name }) => name === use);
  if (!plugin) return [];
  const parsed = plugin.options.safeParse(options);
  if (!parsed.success) return []; // said already
  const sections = findSections(plugin.options, parsed.data);
  const inSection = (section: FoundSection) =>
    idle(section, plan).map((found) => ({ ...found, place: placeOf([...at, ...section.path]) }));
  const ofPlugin = [
    ...sections.flatMap((section) => reach(section, plan)),
    ...(plan ? (plugin.examine?.(parsed.data, plan) ?? []) : []),
  ];
  return [
    ...sections.flatMap(inSection),
    ...ofPlugin.map((found) => ({ ...found, place: placeOf(at) })),
    ...examineReferences(registry, { schema: plugin.options, value: parsed.data, at, plan }),
  ];
}

/** The same of all plugins that a value names. */
export const examineReferences = (
  registry: PluginRegistry,
  { schema, value, at, plan }: { schema: z.ZodType; value: unknown; at: Path; plan?: RunPlan },
): PlacedFinding[] =>
  findReferences(schema, value)
    .filter(({ besides, value: spec }) => (spec as PluginSpec).use !== besides)
    .flatMap(({ kind, path, value: spec }) =>
      examineSpec(registry, { kind, spec: spec as PluginSpec, at: [...at, ...path], plan }),
    );
