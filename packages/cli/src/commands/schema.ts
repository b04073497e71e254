import { writeAtomically } from '@bulwark/core/files';
import { configJsonSchema } from '@bulwark/core/run';
import { Command } from 'commander';
import { configOption, registryOfConfig } from '../config/registry-of-config.js';

/** `bulwark schema [file]`: the JSON schema that editors complete and check configs with. */
export function schemaCommand(): Command {
  return new Command('schema')
    .description('print the JSON schema of configs, or write it to a file')
    .argument('[file]', 'file to write')
    .option(...configOption)
    .addHelpText(
      'after',
      '\nExamples:\n  bulwark schema > bulwark.schema.json\n  bulwark schema bulwark.schema.json\n  bulwark schema bulwark.schema.json --config bulwark.yaml    with the plugins that it names\n\nIn YAML, the first line then is:\n  # yaml-language-server: $schema=bulwark.schema.json',
    )
    .action(async (file: string | undefined, { config }: { config?: string }) => {
      const text = `${JSON.stringify(configJsonSchema(await registryOfConfig(config)), null, 2)}\n`;
      if (file === undefined) process.stdout.write(text);
      else writeAtomically(file, text);
    });
}
