import { BulwarkError, factsOf, type Classifier, type ModelFacts } from '@bulwark/core';
import { factDifferences } from '@bulwark/core/formats';

const shown = (value: unknown): string => {
  if (value === null || value === undefined) return 'nothing';
  return typeof value === 'string' ? value : JSON.stringify(value);
};

/** `key: value` as a config has it, on one line. */
const yaml = (value: unknown): string => {
  if (Array.isArray(value)) return `[${value.map(yaml).join(', ')}]`;
  if (typeof value !== 'object' || value === null) return String(value);
  return `{ ${Object.entries(value)
    .map(([key, part]) => `${key}: ${yaml(part)}`)
    .join(', ')} }`;
};

/** A spec on one line: `preact-resnet18 (width 64, shortcut raw)`. */
export function architectureText({ architecture }: ModelFacts): string | undefined {
  if (!architecture) return undefined;
  const { use, ...options } = architecture;
  const listed = Object.entries(options).map(([key, value]) => `${key} ${shown(value)}`);
  return listed.length > 0 ? `${use} (${listed.join(', ')})` : use;
}

/**
 * Refuses a file that says it computes something else than the classifier would compute with its tensors, such as another
 * normalisation. That the file names another architecture is no reason by itself: the same network may have two names.
 * @returns what the user should know all the same
 * @throws BulwarkError WEIGHTS_INVALID, with the options to set
 */
export function checkFacts(classifier: Classifier, facts: ModelFacts, where: string): string[] {
  const differences = factDifferences(facts, factsOf(classifier));
  const named = differences.find(({ what }) => what === 'architecture');
  const computing = differences.filter(({ what }) => what !== 'architecture');
  if (computing.length > 0) {
    const listed = computing.map(
      ({ what, file, model }) => `${what} is ${shown(file)} in the file, ${shown(model)} in the model`,
    );
    throw new BulwarkError(
      'WEIGHTS_INVALID',
      `${where} does not compute what the model ${classifier.name} would compute with its weights: ${listed.join('; ')}`,
      { hint: hintOf(computing, facts) },
    );
  }
  if (!named) return [];
  return [`${where} says that it holds ${architectureText(facts)}; the model is ${String(named.model)}`];
}

function hintOf(differences: ReturnType<typeof factDifferences>, facts: ModelFacts): string {
  const whats = differences.map(({ what }) => what);
  if (whats.includes('inputShape') || whats.includes('classes'))
    return `use the data that the weights were trained on${facts.data ? `: ${facts.data}` : ''}`;
  const settings = differences.map(({ what, file }) =>
    file === null || file === undefined ? `leave out model.${what}` : `set model.${what}: ${yaml(file)}`,
  );
  return settings.join(', and ');
}
