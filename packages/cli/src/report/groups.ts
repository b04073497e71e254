import { basename, dirname } from 'node:path';
import { digestOf } from '@bulwark/core/files';
import { computesOf } from '../compare/computes.js';
import type { RunRecord } from './read-run.js';

/** Runs that differ in nothing but their seed; or one run. */
export interface RunGroup {
  readonly label: string;
  readonly method: string;
  readonly runs: readonly RunRecord[];
}

/** Equal configs with different seeds. A run that was repeated with the same seed is no second sample and stays by itself. */
function membersOf(runs: readonly RunRecord[]): RunRecord[][] {
  const byConfig = new Map<string, RunRecord[]>();
  for (const run of runs) {
    const key = digestOf({ name: run.config.name, ...computesOf(run.config) });
    byConfig.set(key, [...(byConfig.get(key) ?? []), run]);
  }
  return [...byConfig.values()].flatMap((members) =>
    new Set(members.map(({ config }) => config.seed)).size === members.length ? [members] : members.map((run) => [run]),
  );
}

/** Groups runs by what they compute, seeds aside, with labels that differ. */
export function groupRuns(runs: readonly RunRecord[]): RunGroup[] {
  const groups = membersOf(runs).map((members): RunGroup => {
    const [first] = members as [RunRecord];
    const seeds = `${members.length} seeds`;
    return {
      label: members.length === 1 ? first.label : `${first.config.name}, ${seeds}`,
      method: first.method,
      runs: members,
    };
  });
  return groups.map((group) => {
    if (groups.filter(({ label }) => label === group.label).length === 1) return group;
    return { ...group, label: `${group.label} in ${basename(dirname(group.runs[0]!.path))}` };
  });
}
