import { BulwarkError } from '@bulwark/core';
import { digestOf } from '@bulwark/core/files';
import { threatText } from '@bulwark/core/threat';
import { computesOf } from './computes.js';
import type { Checkpoint, FinishedRun, Measured } from './read-runs.js';
import { estimate, type Estimate } from './student-t.js';

/** Runs of one config with several seeds, as one row. */
export interface Row {
  readonly method: string;
  readonly seeds: readonly number[];
  readonly runs: readonly string[];
  /** By column; accuracies in [0, 1]. */
  readonly estimates: Readonly<Record<string, Estimate>>;
}

export interface Comparison {
  readonly checkpoint: Checkpoint;
  /** Where the numbers come from: `summary` of the runs, or an evaluation that all of them have. */
  readonly source: string;
  readonly split: string;
  readonly images: number | undefined;
  /** Norms and radii that were attacked within, those of all rows. */
  readonly threat: string;
  /** Labels of accuracies in the order of the paper's Table 1, then `gap`, if the runs have one. */
  readonly columns: readonly string[];
  readonly rows: readonly Row[];
  /** Runs that lack the figure of a column which others have; their row has none there. */
  readonly lacking: readonly { readonly run: string; readonly columns: readonly string[] }[];
  /** A more thorough evaluation that some runs have, and the runs without it. */
  readonly passedOver?: { readonly source: string; readonly without: readonly string[] };
}

/** Natural, FGSM, PGD with few steps before many, C&W, AutoAttack; the rest behind them. */
const order = [/^clean$/, /^fgsm/, /^pgd/, /^cw/, /^(autoattack|aa)/];
const rank = (label: string) => order.findIndex((pattern) => pattern.test(label)) + 1 || order.length + 1;
const inTableOrder = (labels: readonly string[]) =>
  labels.toSorted((a, b) => rank(a) - rank(b) || a.localeCompare(b, 'en', { numeric: true }));

/** Values of a config by dotted path. */
function leaves(value: unknown, path = ''): [string, string][] {
  if (typeof value !== 'object' || value === null) return [[path, String(value)]];
  return Object.entries(value).flatMap(([key, part]) => leaves(part, path ? `${path}.${key}` : key));
}

/** Names for groups: the runs' own; where two groups share it, with what tells their configs apart. */
function methodNames(groups: readonly (readonly FinishedRun[])[]): string[] {
  const plain = groups.map((runs) => {
    const names = new Set(runs.map(({ config }) => config.name));
    return names.size === 1 ? [...names][0]! : runs[0]!.config.objective.use;
  });
  const facts = groups.map((runs) => new Map(leaves(computesOf(runs[0]!.config))));
  return plain.map((name, i) => {
    const same = facts.filter((_, other) => plain[other] === name);
    const differs = [...facts[i]!].filter(([path, value]) => same.some((other) => other.get(path) !== value));
    return differs.length === 0 ? name : `${name} (${differs.map(([path, value]) => `${path} ${value}`).join(', ')})`;
  });
}

function checkSeeds(runs: readonly FinishedRun[]): void {
  for (const { path, config } of runs) {
    const twin = runs.find((other) => other.path !== path && other.config.seed === config.seed);
    if (twin)
      throw new BulwarkError(
        'USAGE',
        `${path} and ${twin.path} are the same config with the same seed ${config.seed}`,
        {
          hint: 'leave one out: a repeated run is no second sample',
        },
      );
  }
}

/** Thorough evaluations before quick ones, and these before what training itself has measured. */
const thoroughness = ['full', 'fast', 'custom', 'quick'];

/** The most thorough evaluation that every run has, or the runs' own summaries. @throws BulwarkError USAGE */
function chooseSource(runs: readonly FinishedRun[], checkpoint: Checkpoint, wanted?: string): string {
  /** Whether it attacks within another radius than the run has trained for, as most points of a curve do. */
  const elsewhere = (name: string) =>
    Number(runs[0]!.evaluations[checkpoint].get(name)!.threat !== threatText(runs[0]!.config.threat));
  const common = [...runs[0]!.evaluations[checkpoint].keys()]
    .filter((name) => runs.every(({ evaluations }) => evaluations[checkpoint].has(name)))
    .sort(
      (a, b) =>
        thoroughness.indexOf(a.split('-')[0]!) - thoroughness.indexOf(b.split('-')[0]!) || elsewhere(a) - elsewhere(b),
    );
  const known = [...common, 'summary'];
  if (wanted !== undefined && !known.includes(wanted))
    throw new BulwarkError(
      'USAGE',
      `not every run has ${wanted} of its ${checkpoint} checkpoint; they share ${known.join(', ')}`,
      {
        hint: 'choose one of these, or evaluate the others first',
      },
    );
  return wanted ?? known[0]!;
}

/** The most thorough evaluation that any run has, where it is more thorough than the chosen source. */
function passedOver(runs: readonly FinishedRun[], checkpoint: Checkpoint, source: string): Comparison['passedOver'] {
  const rankOf = (name: string) =>
    name === 'summary' ? thoroughness.length : thoroughness.indexOf(name.split('-')[0]!);
  const known = [...new Set(runs.flatMap(({ evaluations }) => [...evaluations[checkpoint].keys()]))];
  const best = known.filter((name) => rankOf(name) < rankOf(source)).sort((a, b) => rankOf(a) - rankOf(b))[0];
  if (best === undefined) return undefined;
  const without = runs.filter(({ evaluations }) => !evaluations[checkpoint].has(best)).map(({ path }) => path);
  return { source: best, without };
}

/** What a run measured, by the chosen source. */
function measuredIn(run: FinishedRun, checkpoint: Checkpoint, source: string): Measured {
  if (source !== 'summary') return run.evaluations[checkpoint].get(source)!;
  const { split, images } = run.summary;
  const accuracy = (run.summary[checkpoint] ?? run.summary.last).accuracy ?? {};
  return { accuracy, split, images, threat: threatText(run.config.threat) };
}

function checkComparable(runs: readonly FinishedRun[], measured: ReadonlyMap<FinishedRun, Measured>): void {
  const first = measured.get(runs[0]!)!;
  for (const run of runs) {
    const { split, images } = measured.get(run)!;
    if (split !== first.split || images !== first.images)
      throw new BulwarkError(
        'USAGE',
        `${run.path} was measured on ${images} ${split} images, ${runs[0]!.path} on ${first.images} ${first.split} images`,
        { hint: 'compare runs that were measured on the same images' },
      );
  }
}

/** Groups runs by what they compute, seeds aside, and takes means over the seeds. */
export function compareRuns(
  runs: readonly FinishedRun[],
  { checkpoint, source: wanted }: { checkpoint: Checkpoint; source?: string },
): Comparison {
  const source = chooseSource(runs, checkpoint, wanted);
  const measured = new Map(runs.map((run) => [run, measuredIn(run, checkpoint, source)]));
  checkComparable(runs, measured);
  const byConfig = new Map<string, FinishedRun[]>();
  for (const run of runs) {
    const key = digestOf(computesOf(run.config));
    byConfig.set(key, [...(byConfig.get(key) ?? []), run]);
  }
  const groups = [...byConfig.values()];
  groups.forEach(checkSeeds);
  const names = methodNames(groups);
  const accuracyOf = (run: FinishedRun) => measured.get(run)!.accuracy;
  const labels = inTableOrder([...new Set(runs.flatMap((run) => Object.keys(accuracyOf(run))))]);
  const rows = groups.map((members, i) => {
    const column = (label: string, value: (run: FinishedRun) => number | undefined) => {
      const values = members.map(value);
      return values.every((v) => v !== undefined) ? [[label, estimate(values)] as const] : [];
    };
    return {
      method: names[i]!,
      seeds: members.map(({ config }) => config.seed),
      runs: members.map(({ path }) => path),
      estimates: Object.fromEntries([
        ...labels.flatMap((label) => column(label, (run) => accuracyOf(run)[label])),
        ...column('gap', ({ summary }) => summary.gap),
      ]),
    };
  });
  const columns = rows.some(({ estimates }) => 'gap' in estimates) ? [...labels, 'gap'] : labels;
  const { split, images } = measured.get(runs[0]!)!;
  const lacking = runs.flatMap((run) => {
    const missing = labels.filter((label) => accuracyOf(run)[label] === undefined);
    return missing.length > 0 ? [{ run: run.path, columns: missing }] : [];
  });
  const over = wanted === undefined ? passedOver(runs, checkpoint, source) : undefined;
  const threat = [...new Set([...measured.values()].map((each) => each.threat))].join('; ');
  return { checkpoint, source, split, images, threat, columns, rows, lacking, ...(over && { passedOver: over }) };
}
