import type { EvaluationResult } from '@bulwark/core';
import { findZooEntry, zooArchitecture, zooPath } from '@bulwark/models';

/** What a config needs to evaluate a published model. */
export function zooConfig(name: string): {
  model: object;
  data: object;
  threat: { norm: string; epsilon: string | number };
} {
  const entry = findZooEntry(name);
  const epsilon = entry.eps.includes('/') ? entry.eps : Number(entry.eps);
  return {
    model: zooArchitecture(entry),
    data: { use: entry.dataset },
    threat: { norm: entry.threat.toLowerCase(), epsilon },
  };
}

const percent = (share: number) => (100 * share).toFixed(2);

/** The published figures beside ours, one line each. */
export function publishedLines(name: string, result: EvaluationResult): string[] {
  const entry = findZooEntry(name);
  const judge = entry.external === null ? 'AutoAttack' : 'a stronger evaluation than AutoAttack';
  const same = result.tier === 'full' ? '' : '; not the same attacks';
  return [
    `\npublished for ${zooPath(entry)} (${entry.venue}), on 10,000 test images:`,
    `  clean   ${entry.clean.toFixed(2)} %, here ${percent(result.clean.accuracy)} %`,
    `  robust  ${entry.robust.toFixed(2)} % (${judge}, eps ${entry.eps}), here ${percent(result.worst.accuracy)} % on ${result.data.count} images${same}`,
  ];
}
