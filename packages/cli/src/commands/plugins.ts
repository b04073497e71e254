import type { Plugin } from '@bulwark/core';
import { pluginKinds } from '@bulwark/core/plugins';
import { Command } from 'commander';
import { BulwarkError } from '@bulwark/core';
import { nearest } from '@bulwark/core/plugins';
import { optionsJsonSchema } from '@bulwark/core/run';
import { configOption, registryOfConfig } from '../config/registry-of-config.js';
import { createOutput, paint, type Output } from '../terminal/output.js';
import { table } from '../terminal/table.js';

interface OptionRow {
  readonly name: string;
  readonly type: string;
  readonly default: string;
  readonly description: string;
}

type JsonSchema = {
  $ref?: string;
  type?: string;
  enum?: unknown[];
  const?: unknown;
  default?: unknown;
  description?: string;
  properties?: Record<string, JsonSchema>;
  required?: string[];
  anyOf?: JsonSchema[];
  items?: JsonSchema;
};

const typeOf = (schema: JsonSchema): string => {
  if (schema.$ref) return schema.$ref.replace('#/$defs/', '');
  if (schema.enum) return schema.enum.join(' | ');
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.anyOf) {
    const types = schema.anyOf.map(typeOf);
    return types.includes('number') && types.includes('string') ? 'number or fraction' : types.join(' | ');
  }
  return schema.type === 'array'
    ? `list of ${schema.items ? typeOf(schema.items) : 'anything'}`
    : (schema.type ?? 'any');
};

/** What stands for the default of an option without one; within a section that may be left out, an option is required with it. */
function withoutDefault(required: boolean, optionalSection: string | undefined): string {
  if (!required) return '-';
  return optionalSection === undefined ? 'required' : `required with ${optionalSection}`;
}

/** The sections around options: their names with a dot, the innermost that may be left out, and what it is then. */
interface Within {
  readonly prefix: string;
  readonly optional?: string | undefined;
  readonly defaults?: unknown;
}

function rows(schema: JsonSchema, { prefix, optional, defaults }: Within = { prefix: '' }): OptionRow[] {
  return Object.entries(schema.properties ?? {}).flatMap(([key, entry]) => {
    const name = `${prefix}${key}`;
    const value = (defaults as Record<string, unknown> | undefined)?.[key] ?? entry.default;
    const required = schema.required?.includes(key) === true && value === undefined;
    const within = { prefix: `${name}.`, optional: required ? optional : name, defaults: value };
    const nested = entry.properties ? rows(entry, within) : [];
    if (nested.length > 0) return nested;
    const shown = value === undefined ? withoutDefault(required, optional) : JSON.stringify(value);
    return [{ name, type: typeOf(entry), default: shown, description: entry.description ?? '' }];
  });
}

/** Options of a plugin as rows, from its schema. */
export const optionRows = (plugin: Plugin): OptionRow[] => rows(optionsJsonSchema(plugin.options) as JsonSchema);

function list(plugins: readonly Plugin[], output: Output): void {
  for (const kind of pluginKinds) {
    const own = plugins.filter((plugin) => plugin.kind === kind);
    if (own.length === 0) continue;
    output.line(paint('bold', kind));
    for (const { name, summary } of own) output.line(`  ${name.padEnd(24)} ${summary}`);
  }
  output.line('\n`bulwark plugins <name>` shows options, defaults and citation');
}

function describe(plugin: Plugin, output: Output): void {
  output.line(`${paint('bold', plugin.name)} (${plugin.kind})`);
  output.line(plugin.summary);
  if (plugin.cite) output.line(plugin.cite);
  const options = optionRows(plugin);
  output.line();
  output.line(
    options.length === 0
      ? 'no options'
      : table(
          ['option', 'type', 'default', 'meaning'],
          options.map((row) => [row.name, row.type, row.default, row.description]),
          { wrapLast: true },
        ),
  );
  output.line();
}

/** `bulwark plugins [name]`. */
export function pluginsCommand(): Command {
  return new Command('plugins')
    .description('list plugins, or show one with its options')
    .argument('[name]', 'plugin to describe')
    .option(...configOption)
    .option('--json', 'print as JSON')
    .addHelpText(
      'after',
      '\nExamples:\n  bulwark plugins\n  bulwark plugins st\n  bulwark plugins my-method --config my.yaml',
    )
    .action(async (name: string | undefined, flags: { json?: boolean; config?: string }) => {
      const output = createOutput(flags);
      const all = (await registryOfConfig(flags.config)).list();
      const chosen = name === undefined ? all : all.filter((plugin) => plugin.name === name);
      if (chosen.length === 0) {
        const near = nearest(
          name!,
          all.map((plugin) => plugin.name),
        );
        throw new BulwarkError('PLUGIN_UNKNOWN', `no plugin is called ${JSON.stringify(name)}`, {
          hint: near
            ? `did you mean ${near}?`
            : 'run `bulwark plugins`; for one of your own, name your config: --config',
        });
      }
      if (name === undefined) list(all, output);
      else chosen.forEach((plugin) => describe(plugin, output));
      output.result(
        chosen.map((plugin) => ({
          kind: plugin.kind,
          name: plugin.name,
          summary: plugin.summary,
          cite: plugin.cite,
          options: optionRows(plugin),
        })),
      );
    });
}
