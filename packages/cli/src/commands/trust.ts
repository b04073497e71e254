import { locatePlugin, openRunFolder, pluginCode } from '@bulwark/core/run';
import { Command } from 'commander';
import { createOutput } from '../terminal/output.js';
import { trustStore } from '../trust/store.js';

interface Flags {
  readonly withdraw?: boolean;
  readonly json?: boolean;
}

const help = `
Plugins are programs. Read the files that are listed before you trust them: every later command on a run that asks for them runs them as you.
Trust holds for the code as it is, in its place; when it changes, it ends.

Examples:
  bulwark trust runs/st-from-a-colleague
  bulwark trust runs/st-from-a-colleague --withdraw`;

/** `bulwark trust <run>`. */
export function trustCommand(): Command {
  return new Command('trust')
    .description('trust the plugins that a run folder asks for, as they are now')
    .argument('<run>', 'run folder')
    .option('--withdraw', 'trust them no longer')
    .option('--json', 'print the result as JSON and nothing else')
    .addHelpText('after', help)
    .action((path: string, flags: Flags) => {
      const output = createOutput(flags);
      const { config, baseFolder } = openRunFolder(path, output).frozen;
      const plugins = config.plugins.map((specifier) => {
        const { file } = locatePlugin(specifier, baseFolder);
        return { specifier, file, ...pluginCode(file) };
      });
      const store = trustStore();
      if (plugins.length === 0) output.line(`${path} asks for no plugins`);
      for (const { file, sha256, files } of plugins) {
        output.line(`${file}  sha256 ${sha256}`);
        for (const other of files) if (other !== file) output.line(`  ${other}`);
      }
      if (flags.withdraw) {
        const forgotten = store.forget(plugins.map(({ file }) => file));
        output.line(`${forgotten} entries removed from ${store.file}`);
      } else if (plugins.length > 0) {
        store.add(plugins.map(({ file, sha256 }) => ({ file, sha256 })));
        output.line(`trusted until their code changes; noted in ${store.file}`);
      }
      output.result({ plugins, trusted: !flags.withdraw, store: store.file });
    });
}
