type Json = Record<string, unknown>;

const zeros = { class_name: 'Zeros', config: {} };

/**
 * A description without what matters to training in Keras alone: weights come from the file whatever their initializer, penalties and
 * constraints are those of the run. TensorFlow.js knows few of them by name, and would apply constraints to the weights that it loads.
 */
export function withoutTraining(description: unknown, depth = 0): unknown {
  // deeper ones are refused later
  if (typeof description !== 'object' || description === null || depth > 400) return description;
  if (Array.isArray(description)) return description.map((each) => withoutTraining(each, depth + 1));
  const entries = Object.entries(description as Json).map(([key, value]): [string, unknown] => {
    if (/_(regularizer|constraint)$/.test(key)) return [key, null];
    if (/_initializer$/.test(key)) return [key, zeros];
    return [key, withoutTraining(value, depth + 1)];
  });
  return Object.fromEntries(entries);
}
