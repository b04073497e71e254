import type { Collective } from '../collective/index.js';
import { trainedStatistics } from '../trainer/index.js';
import type { ComposedRun } from './compose.js';

type Composed = Pick<ComposedRun, 'config' | 'parts'>;

const asked = ({ config }: Composed) => config.batchNorm.use === 'synchronised';

/** Whether BatchNorm normalises with what all ranks have of a batch. */
export const isSynchronised = (composed: Composed, collective: Collective | undefined): boolean =>
  collective !== undefined && asked(composed) && trainedStatistics(composed.parts).size > 0;

/** Says so where that was asked for and changes nothing. */
export function warnOfSynchronised(
  composed: Composed,
  { collective, warn }: { collective?: Collective; warn?: (message: string) => void },
): void {
  if (!asked(composed) || isSynchronised(composed, collective)) return;
  const why = collective
    ? `the model ${composed.parts.model.name} has no BatchNorm`
    : 'one process trains, which has the whole batch (start several: docs/scaling.md)';
  warn?.(`batchNorm: synchronised has no effect: ${why}`);
}
