import type { Classifier } from '../classifier/index.js';
import { BulwarkError } from '../errors.js';
import type { Objective } from '../hooks/index.js';

/**
 * Refuses what cannot be trained with BatchNorm over all ranks.
 * @throws BulwarkError CONFIG_INVALID
 */
export function checkSynchronised(of: { model: Classifier; objective: Objective; accumulate: number }): void {
  const { model, objective, accumulate } = of;
  const refuse = (what: string, hint: string) => {
    throw new BulwarkError('CONFIG_INVALID', `batchNorm: synchronised does not go with ${what}`, { hint });
  };
  const apart = [model, ...(objective.companions?.values() ?? [])].find(
    ({ statistics, acrossRanks }) => statistics.size > 0 && !acrossRanks,
  );
  const local = 'leave it out: each rank then normalises its part of a batch by itself';
  if (apart)
    refuse(
      `the model ${apart.name}, whose passes are not Bulwark's own layers and cannot stop to ask other ranks`,
      `take an architecture of Bulwark's graphs, or ${local}`,
    );
  const [term] = objective.secondOrder ?? [];
  if (term)
    refuse(
      `${objective.name ?? 'this objective'}, whose ${term.name} term is differentiated twice, within one process`,
      `take a method such as elle that does without, or ${local}`,
    );
  if (accumulate > 1)
    refuse(
      `data.accumulate: ${accumulate}, which normalises parts of a batch by themselves`,
      `set data.accumulate: 1 and take more ranks or a smaller batch, or ${local}`,
    );
}
