import type * as tf from '../tensor/index.js';
import type { Classifier } from '../classifier/index.js';
import { pointsOfPass, type Objective, type Role } from '../hooks/index.js';
import type { BatchStatistics } from '../network/index.js';

type Trained = { readonly model: Classifier; readonly objective: Pick<Objective, 'companions'> };

const withCompanions = (
  { model, objective }: Trained,
  variablesOf: (classifier: Classifier) => ReadonlyMap<string, tf.Variable>,
): ReadonlyMap<string, tf.Variable> => {
  if (!objective.companions?.size) return variablesOf(model);
  const theirs = [...objective.companions].flatMap(([companion, classifier]) =>
    [...variablesOf(classifier)].map(([name, variable]) => [`${companion}@${name}`, variable] as const),
  );
  return new Map([...variablesOf(model), ...theirs]);
};

/** Everything that a step trains, by name: the model's parameters, and `<companion>@<name>`. */
export const trainedParameters = (of: Trained): ReadonlyMap<string, tf.Variable> =>
  withCompanions(of, ({ parameters }) => parameters);

/** The running statistics of the model and of its companions, named likewise. */
export const trainedStatistics = (of: Trained): ReadonlyMap<string, tf.Variable> =>
  withCompanions(of, ({ statistics }) => statistics);

/** Updates running statistics with those of an outer pass, in the model or the companion that made it. */
export function applyPassStatistics(of: Trained, pass: Role, statistics: BatchStatistics): void {
  const { companion } = pointsOfPass(pass);
  (companion === undefined ? of.model : of.objective.companions!.get(companion)!).applyStatistics(statistics);
}
