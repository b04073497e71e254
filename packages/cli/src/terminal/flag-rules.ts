import { BulwarkError } from '@bulwark/core';
import type { Command, Option } from 'commander';

/** Flags that would be ignored in some company. Names are long ones, without their dashes. */
export interface FlagRule {
  readonly flags: readonly string[];
  /** What goes with them: at least one of these flags. */
  readonly needs?: readonly string[];
  /** What they do not go with. */
  readonly excludes?: readonly string[];
  /** For values: why the flags do nothing beside these; undefined if they do something. */
  readonly idle?: (values: Readonly<Record<string, unknown>>) => string | undefined;
}

const rulesOf = new WeakMap<Command, readonly FlagRule[]>();

/** Says which flags of a command mean something only with, or only without, others. `checkFlags` holds them to it. */
export function addFlagRules(command: Command, ...rules: readonly FlagRule[]): Command {
  rulesOf.set(command, [...flagRules(command), ...rules]);
  return command;
}

/** The rules of a command. */
export const flagRules = (command: Command): readonly FlagRule[] => rulesOf.get(command) ?? [];

const dashed = (names: readonly string[], word = 'or') => names.map((name) => `--${name}`).join(` ${word} `);

/** @throws BulwarkError USAGE */
const refuse = (what: string, hint: string): never => {
  throw new BulwarkError('USAGE', what, { hint });
};

const longName = ({ long }: Option) => long!.slice(2);

const isGiven = (command: Command, option: Option) => command.getOptionValueSource(option.attributeName()) === 'cli';

/** Long names of the flags that the user wrote. */
const givenTo = (command: Command): string[] =>
  command.options.filter((option) => isGiven(command, option)).map(longName);

/**
 * Holds what was given to a rule.
 * @param given long names
 * @throws BulwarkError USAGE
 */
export function checkRule(
  { flags, needs, excludes, idle }: FlagRule,
  given: readonly string[],
  values: Readonly<Record<string, unknown>>,
): void {
  const mine = flags.filter((name) => given.includes(name));
  if (mine.length === 0) return;
  const verb = mine.length > 1 ? 'do' : 'does';
  if (needs && !needs.some((name) => given.includes(name)))
    refuse(
      `${dashed(mine, 'and')} ${verb} nothing without ${dashed(needs)}`,
      `leave ${mine.length > 1 ? 'them' : 'it'} out, or give ${dashed(needs)} as well`,
    );
  const other = excludes?.find((name) => given.includes(name));
  if (other !== undefined)
    refuse(`${dashed(mine, 'and')} ${verb} nothing with --${other}`, `leave out ${dashed([...mine, other])}`);
  const why = idle?.(values);
  if (why !== undefined) refuse(`${dashed(mine, 'and')} ${verb} nothing: ${why}`, 'leave it out');
}

/** Flags that commands of commands may take from above: they say how to print. */
const everywhere = ['json', 'debug'];

/**
 * Refuses flags that would be ignored: those that a rule of the command says, and those of a command above it, which commander takes for
 * it without a word (`sweep status runs/x --jobs 2`).
 * @throws BulwarkError USAGE, naming the flag and what to do
 */
export function checkFlags(command: Command): void {
  const given = givenTo(command);
  for (const rule of flagRules(command)) checkRule(rule, given, command.opts());
  for (let above = command.parent; above; above = above.parent) {
    const stray = givenTo(above).filter((name) => !everywhere.includes(name));
    if (stray.length > 0)
      refuse(`${dashed(stray, 'and')} is of \`${above.name()}\`, not of \`${command.name()}\``, 'leave it out');
  }
}

/**
 * Refuses flags that mean nothing for what a command was given, where only the command can tell.
 * @throws BulwarkError USAGE
 */
export function refuseFlags<Flags extends object>(
  flags: Flags,
  names: readonly (keyof Flags & string)[],
  why: { because: string; hint: string },
): void {
  const given = names.filter((name) => flags[name] !== undefined);
  if (given.length > 0) refuse(`${dashed(given).replaceAll(' or', ',')}: ${why.because}`, why.hint);
}
