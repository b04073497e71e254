import { BulwarkError } from '@bulwark/core';
import { parse as parseYaml } from 'yaml';

/**
 * Applies `--set objective.beta=8` and the like: a dotted path (list positions as numbers) and a YAML value.
 * @throws BulwarkError USAGE
 */
export function override(config: Record<string, unknown>, assignments: readonly string[]): Record<string, unknown> {
  return assignments.reduce((current, assignment) => {
    const at = assignment.indexOf('=');
    if (at < 1)
      throw new BulwarkError('USAGE', `--set ${assignment} has no value`, { hint: 'write --set path.to.key=value' });
    if (assignment.slice(0, at).split('.').includes('__proto__'))
      throw new BulwarkError('USAGE', `--set ${assignment}: __proto__ is no key of a config`, { hint: 'leave it out' });
    return setAt(current, assignment.slice(0, at).split('.'), valueOf(assignment, at + 1)) as Record<string, unknown>;
  }, config);
}

function valueOf(assignment: string, from: number): unknown {
  try {
    return parseYaml(assignment.slice(from));
  } catch (cause) {
    const [reason] = (cause as Error).message.split('\n');
    throw new BulwarkError('USAGE', `--set ${assignment} has a value that is not YAML: ${reason}`, {
      hint: 'write lists as [1, 2] and objects as {key: value}, and quote the whole for the shell',
      cause,
    });
  }
}

/** A copy in which the place that a path leads to holds something else. */
export function setAt(value: unknown, [key, ...rest]: readonly string[], replacement: unknown): unknown {
  if (key === undefined) return replacement;
  // `objective: trades` is short for `objective: { use: trades }`
  const section = typeof value === 'string' ? { use: value } : (value ?? {});
  const copy = (Array.isArray(section) ? [...section] : { ...(section as object) }) as Record<string, unknown>;
  copy[key] = setAt(Object.hasOwn(copy, key) ? copy[key] : undefined, rest, replacement);
  return copy;
}
