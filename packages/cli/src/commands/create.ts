import { existsSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { BulwarkError } from '@bulwark/core';
import { writeAtomically } from '@bulwark/core/files';
import { nearest } from '@bulwark/core/plugins';
import { Command } from 'commander';
import { packageFiles } from '../create/package-files.js';
import { starters, type StarterKind } from '../create/sources.js';
import { builtinRegistry } from '../registry.js';
import { createOutput } from '../terminal/output.js';

const kinds = Object.keys(starters) as StarterKind[];

interface CreateFlags {
  readonly kind: string;
  readonly out?: string;
  readonly json?: boolean;
}

const examples = `
Examples:
  bulwark create plugin margin-loss --kind objective
  bulwark create plugin my-images --kind data --out plugins/my-images`;

function checkKind(kind: string): StarterKind {
  if ((kinds as string[]).includes(kind)) return kind as StarterKind;
  const near = nearest(kind, kinds);
  throw new BulwarkError('USAGE', `--kind is ${JSON.stringify(kind)}; allowed: ${kinds.join(', ')}`, {
    hint: near ? `did you mean ${near}?` : 'name one of these',
  });
}

function checkName(name: string, kind: StarterKind): string {
  const plain = name.replace(/^bulwark-plugin-/, '');
  if (
    builtinRegistry()
      .list(kind)
      .some((known) => known.name === plain)
  )
    throw new BulwarkError('USAGE', `the name ${plain} is that of a plugin of Bulwark, of kind ${kind}`, {
      hint: `choose another, such as my-${plain}`,
    });
  if (/^[a-z][a-z0-9]*(-[a-z0-9]+)*$/.test(plain)) return plain;
  throw new BulwarkError('USAGE', `the name ${JSON.stringify(name)} is not lower case with hyphens`, {
    hint: 'choose a name such as margin-loss',
  });
}

function versions() {
  const own = createRequire(import.meta.url)('../../package.json') as { version: string; engines: { node: string } };
  return { bulwark: own.version, node: own.engines.node };
}

function createPlugin(name: string, { kind, out, json }: CreateFlags): void {
  const known = checkKind(kind);
  const plain = checkName(name, known);
  const files = packageFiles(plain, known, versions());
  const folder = resolve(out ?? `bulwark-plugin-${plain}`);
  if (existsSync(folder) && readdirSync(folder).length > 0)
    throw new BulwarkError('USAGE', `${folder} exists and is not empty`, { hint: 'name another folder with --out' });
  for (const [path, text] of files) writeAtomically(join(folder, path), text);
  const output = createOutput({ json });
  output.line(`wrote ${folder}: ${[...files.keys()].join(', ')}`);
  output.line(`next: cd ${folder} && npm install && npm test && npm run train`);
  output.result({ folder, files: [...files.keys()] });
}

/** `bulwark create plugin <name> --kind <kind>`. */
export function createCommand(): Command {
  const plugin = new Command('plugin')
    .description('write a package with a plugin that works: source, options, test, README, example config')
    .argument('<name>', 'name of the plugin, lower case with hyphens')
    .requiredOption('--kind <kind>', kinds.join(', '))
    .option('--out <folder>', 'folder to write; default: bulwark-plugin-<name>')
    .option('--json', 'print the files as JSON and nothing else')
    .addHelpText('after', examples)
    .action(createPlugin);
  return new Command('create').description('start a plugin package').addCommand(plugin.exitOverride());
}
