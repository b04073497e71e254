import { configJsonSchema, writeAtomically } from '@bulwark/core';
import { Command } from 'commander';
import { builtinRegistry } from '../registry.js';

/** `bulwark schema [file]`: the JSON schema that editors complete and check configs with. */
export function schemaCommand(): Command {
  return new Command('schema')
    .description('print the JSON schema of configs, or write it to a file')
    .argument('[file]', 'file to write')
    .addHelpText(
      'after',
      '\nExamples:\n  bulwark schema > bulwark.schema.json\n  bulwark schema bulwark.schema.json\n\nIn YAML, the first line then is:\n  # yaml-language-server: $schema=bulwark.schema.json',
    )
    .action((file: string | undefined) => {
      const text = `${JSON.stringify(configJsonSchema(builtinRegistry()), null, 2)}\n`;
      if (file === undefined) process.stdout.write(text);
      else writeAtomically(file, text);
    });
}
