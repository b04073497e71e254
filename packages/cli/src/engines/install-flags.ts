import { BulwarkError, type Engine } from '@bulwark/core';
import { expectedOf } from '@bulwark/core/files';
import type { Command } from 'commander';
import { parse as parseYaml } from 'yaml';
import type { z } from 'zod';

type Schema = z.ZodType & { readonly _zod: { readonly def: { type: string; innerType?: Schema } } };

const isFlag = ({ _zod: { def } }: Schema): boolean =>
  def.type === 'boolean' || (def.innerType !== undefined && isFlag(def.innerType));

const kebab = (name: string): string => name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

const optionsOf = (engine: Engine): [string, Schema][] =>
  Object.entries((engine.installer?.options.shape ?? {}) as Record<string, Schema>);

/** Adds the options of an engine's installer to a command, as its schema describes them. */
export function addInstallFlags(command: Command, engine: Engine): void {
  for (const [name, schema] of optionsOf(engine))
    command.option(`--${kebab(name)}${isFlag(schema) ? '' : ' <value>'}`, schema.description ?? '');
}

/** A value as the schema wants it: a text, or what YAML makes of it. */
const valueFor = (schema: Schema, given: unknown): unknown =>
  typeof given !== 'string' || schema.safeParse(given).success ? given : (parseYaml(given) as unknown);

/**
 * The options of an engine's installer, checked.
 * @throws BulwarkError USAGE, naming the flag
 */
export function installOptions(engine: Engine, flags: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const given = optionsOf(engine)
    .filter(([name]) => flags[name] !== undefined)
    .map(([name, schema]) => [name, valueFor(schema, flags[name])] as const);
  const parsed = engine.installer!.options.safeParse(Object.fromEntries(given));
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0]!;
  const name = String(issue.path[0]);
  throw new BulwarkError('USAGE', `--${kebab(name)} is ${JSON.stringify(flags[name])}: ${expectedOf(issue)}`, {
    hint: `see \`bulwark engine install ${engine.name} --help\``,
  });
}
