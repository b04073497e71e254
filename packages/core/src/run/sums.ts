import type { Collective, TensorSums } from '../collective/index.js';
import { currentSession } from '../engine/index.js';

/** How the gradients of several processes are summed, and what the user may want to know of it. */
export interface GradientSums {
  /** Those of the engine; absent where sums go through the memory of the host. */
  readonly sums?: TensorSums;
  readonly remarks: readonly string[];
}

/** Opens the sums of the current engine, if it has any for these processes, which all call this together. */
export async function openSums(collective: Collective | undefined): Promise<GradientSums> {
  const found = collective && (await currentSession()?.sums?.(collective));
  if (!found) return { remarks: [] };
  if ('reason' in found) return { remarks: [`gradients are summed through the memory of the host: ${found.reason}`] };
  return { sums: found, remarks: [`gradients are summed by ${found.name}`] };
}
