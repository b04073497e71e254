import type { Classifier } from '../classifier/index.js';
import type { EngineChoice } from '../engine/index.js';

/** What ranks whose BatchNorms wait for each other cost. */
const waits = 'BatchNorm is synchronised over all ranks: passes with batch statistics run op by op and wait at each';

/** The engine as it serves this model: what it runs whole, and what these passes can compute in, may depend on the layers. */
export function choiceFor(
  model: Classifier,
  { reducedPrecision, ...choice }: EngineChoice,
  { synchronised = false, remarks = [] }: { synchronised?: boolean; remarks?: readonly string[] } = {},
): EngineChoice {
  const notWith = reducedPrecision && !model.dtypes?.().includes('bfloat16') ? ', but not with this model' : '';
  const because = model.opByOpBecause?.();
  const opByOp = because === undefined ? '' : `; passes of this model run op by op: ${because}`;
  const told = [...remarks, ...(synchronised ? [waits] : [])];
  return {
    ...choice,
    reason: `${choice.reason}${notWith}${opByOp}`,
    ...(reducedPrecision && !notWith && { reducedPrecision }),
    ...(told.length > 0 && { remarks: [...(choice.remarks ?? []), ...told] }),
  };
}

/** How a run is computed where that is not float32 throughout. */
export function arithmeticOf({ arithmetic, reducedPrecision }: EngineChoice): { arithmetic?: string } {
  const parts = [arithmetic, reducedPrecision && 'attacks in training in bfloat16'].filter((part) => part);
  return parts.length > 0 ? { arithmetic: parts.join('; ') } : {};
}
