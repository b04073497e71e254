import type { z } from 'zod';
import { BulwarkError, type ErrorCode } from '../errors.js';
import { expectedOf, placeOf, shown, valueAt, type Path } from '../files/index.js';
import { nearest, type RunPlan } from '../plugins/index.js';

/** What each section that a config must have may look like; together they are a whole config. */
const examples: Readonly<Record<string, string>> = {
  data: 'data: { use: fashion-mnist-mini }',
  model: 'model: small-cnn',
  threat: 'threat: { norm: linf, epsilon: 8/255 }',
  objective: 'objective: trades',
  epochs: 'epochs: 10',
};

/** Something that is wrong in a config, and what to do about it. */
export interface Problem {
  readonly code: ErrorCode;
  readonly message: string;
  readonly hint: string | undefined;
}

/** Where something is parsed, and what has been found wrong so far. */
export interface Place {
  readonly at: Path;
  readonly problems: Problem[];
  /** Keys that may stand here besides those of the schema: somebody else checks them. */
  readonly besides?: readonly string[];
  /** The run that it is parsed for, if that is known: some defaults follow from it. */
  readonly plan?: RunPlan | undefined;
}

/** The problem that an error tells of; with a place before its words. @throws what is no BulwarkError */
export function problemOf(error: unknown, place = ''): Problem {
  if (!(error instanceof BulwarkError)) throw error;
  const { code, message, hint } = error;
  return { code, message: `${place}${message}`, hint };
}

/** One sentence for each thing that a failed parse found: path, value received, what is allowed, nearest valid name. */
export function problemsOf(
  issue: z.core.$ZodIssue,
  context: { input: unknown; at: Path; known: readonly string[] },
): Problem[] {
  const path = issue.path as Path;
  if (issue.code === 'unrecognized_keys')
    return issue.keys.map((key) => {
      const near = nearest(key, context.known);
      return {
        code: 'CONFIG_INVALID',
        message: `${placeOf([...context.at, ...path, key])} is not an option here; known: ${context.known.join(', ') || 'none'}`,
        hint: near ? `did you mean ${near}?` : 'remove it',
      };
    });
  const value = valueAt(context.input, path);
  const place = placeOf([...context.at, ...path]) || 'the config';
  const example = Object.hasOwn(examples, place) ? `, for example: ${examples[place]}` : '';
  const missing = value === undefined || (value === null && example);
  const message = missing
    ? `${place} is missing: ${expectedOf(issue)}`
    : `${place} is ${shown(value)}: ${expectedOf(issue)}`;
  const name = place.endsWith('.use') ? ': the name of a plugin, which `bulwark plugins` lists' : '';
  const hint = missing ? `add ${place}${name}${example}` : `set ${place} to an allowed value${example}`;
  return [{ code: 'CONFIG_INVALID', message, hint }];
}

/** One error for all that is wrong. @throws BulwarkError, unless nothing is */
export function refuse(problems: readonly Problem[]): void {
  const [first, ...others] = problems;
  if (!first) return;
  if (others.length === 0) throw new BulwarkError(first.code, first.message, { hint: first.hint });
  const lines = problems.map(({ message, hint }) => `- ${message}${hint ? `\n    ${hint}` : ''}`);
  throw new BulwarkError('CONFIG_INVALID', `the config has ${problems.length} mistakes:\n${lines.join('\n')}`, {
    hint: 'correct them all; `bulwark plugins <name>` lists the options of a plugin',
  });
}
