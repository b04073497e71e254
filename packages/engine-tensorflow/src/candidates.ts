import type { Refusal } from '@bulwark/core/engine';
import { installedPackages } from './install/cache.js';
import { projectPackage, type NodePackage } from './package.js';

/** The packages on disk that might work, best first, and why there are not more. */
export function candidates(): { found: (NodePackage & { label: string })[]; refusals: Refusal[] } {
  const found: (NodePackage & { label: string })[] = [];
  const refusals: Refusal[] = [];
  for (const name of ['@tensorflow/tfjs-node-gpu', '@tensorflow/tfjs-node'] as const) {
    const candidate = projectPackage(name);
    if (candidate) found.push({ ...candidate, label: name });
    else
      refusals.push({
        candidate: name,
        reason: 'not installed in this project (npm drops it when its install script fails)',
      });
  }
  const cached = installedPackages();
  found.push(...cached.found.map((candidate) => ({ ...candidate, label: 'engine cache' })));
  refusals.push(...cached.reasons.map((reason) => ({ candidate: 'engine cache', reason })));
  return { found, refusals };
}
