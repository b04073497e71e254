import { describe, expect, it } from '@jest/globals';
import type { Command } from 'commander';
import { program } from '../program.js';
import { flagRules, type FlagRule } from './flag-rules.js';

/** Words that call a command with these flags, each with a value that its form allows. */
function wordsFor(command: Command, flags: readonly string[]): string[] {
  const path: string[] = [];
  for (let at: Command | null = command; at?.parent; at = at.parent) path.unshift(at.name());
  const options = [
    ...flags.map((name) => command.options.find(({ long }) => long === `--${name}`)!),
    ...command.options.filter(({ mandatory }) => mandatory),
  ];
  const places = command.registeredArguments.filter(({ required }) => required).map(() => 'somewhere');
  return [
    ...path,
    ...places,
    ...options.flatMap(({ long, required, argChoices }) => [long!, ...(required ? [argChoices?.[0] ?? '1'] : [])]),
  ];
}

const run = (words: readonly string[]) => program().parseAsync(['node', 'bulwark', ...words]);

const below = (command: Command): Command[] => [command, ...command.commands.flatMap(below)];
const commands = below(program());
const rules = commands.flatMap((command) => flagRules(command).map((rule) => ({ command, rule })));

/** Every flag of a rule in company that it is ignored in. */
const refused = rules.flatMap(({ command, rule }: { command: Command; rule: FlagRule }) =>
  rule.flags.flatMap((flag) => [
    ...(rule.needs
      ? [{ words: wordsFor(command, [flag]), says: `--${flag} does nothing without --${rule.needs[0]}` }]
      : []),
    ...(rule.excludes ?? []).map((other) => ({
      words: wordsFor(command, [flag, other]),
      says: `--${flag} does nothing with --${other}`,
    })),
  ]),
);

describe('flags that would be ignored', () => {
  it('are named by rules of the commands that have such flags', () => {
    expect([...new Set(rules.map(({ command }) => command.name()))].sort()).toEqual(
      ['bench', 'compare', 'evaluate', 'report', 'reproduce', 'train'].sort(),
    );
    for (const { command, rule } of rules)
      for (const name of [...rule.flags, ...(rule.needs ?? []), ...(rule.excludes ?? [])])
        expect(command.options.map(({ long }) => long)).toContain(`--${name}`);
  });

  it.each(refused.map(({ words, says }) => [words.join(' '), words, says] as const))(
    '%s is refused before anything is done',
    async (_, words, says) => {
      await expect(run(words)).rejects.toMatchObject({
        code: 'USAGE',
        message: says,
        hint: expect.stringMatching(/^leave (it )?out/),
      });
    },
  );

  it.each([
    [['report', 'runs', '--images', '0', '--engine', 'cpu'], '--engine does nothing: --images 0 opens no model'],
    [
      ['bench', '--parts', 'training', '--share', '0.5'],
      '--share does nothing: --parts training leaves out the attacks',
    ],
    [['sweep', 'status', 'runs', '--jobs', '2'], '--jobs is of `sweep`, not of `status`'],
    [['sweep', 'cancel', 'runs', '--resume', 'x', '--dry-run'], '--resume and --dry-run'],
  ])('%j is refused', async (words, says) => {
    await expect(run(words)).rejects.toMatchObject({ code: 'USAGE', message: expect.stringContaining(says) });
  });

  it('a flag of a command above the one that runs never passes, whatever it is', async () => {
    for (const parent of commands.filter((command) => command.parent && command.commands.length > 0))
      for (const child of parent.commands)
        for (const { long } of parent.options.filter(({ long }) => long !== '--json' && !long!.startsWith('--set')))
          await expect(
            run([...wordsFor(child, []), ...wordsFor(parent, [long!.slice(2)]).slice(1)]),
          ).rejects.toMatchObject({ message: expect.stringContaining(long!) });
  });
});
