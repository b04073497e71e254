import { spawnSync } from 'node:child_process';
import { mpiInstaller } from '@bulwark/collective-mpi';
import { BulwarkError, type Engine, type InstalledPart } from '@bulwark/core';
import { probeOf } from '@bulwark/core/engine';
import { enginesOf, nearest } from '@bulwark/core/plugins';
import { Command } from 'commander';
import { packageOf } from '../engines/absent.js';
import { addInstallFlags, installOptions } from '../engines/install-flags.js';
import { builtinRegistry } from '../registry.js';
import { bulwarkCommand } from '../terminal/child.js';
import { createOutput, duration, paint } from '../terminal/output.js';
import { table } from '../terminal/table.js';

/** Adds a command for each engine to one that acts on engines, and a clear word for names that are none. */
function withEngines(command: Command, make: (engine: Engine) => Command, mpi: Command): Command {
  const engines = enginesOf(builtinRegistry());
  for (const engine of engines) command.addCommand(make(engine).exitOverride());
  command.addCommand(mpi.exitOverride());
  return command.argument('[engine]').action((name: string | undefined) => {
    const known = [...engines.map((engine) => engine.name), mpi.name()];
    const near = name === undefined ? undefined : nearest(name, known);
    throw new BulwarkError(
      'USAGE',
      name === undefined ? 'which engine?' : `no engine is called ${JSON.stringify(name)}; known: ${known.join(', ')}`,
      { hint: near ? `did you mean ${near}?` : `name one of ${known.join(', ')}` },
    );
  });
}

const nothingToDo = ({ name }: Engine): string => `${name} is there and needs nothing else: nothing was done`;

const row = (name: string, { description, bytes, folder }: InstalledPart): string[] => [
  name,
  description,
  `${Math.round(bytes / 1e6)} MB`,
  folder,
];

const installed = 'BULWARK_PACKAGE_INSTALLED';

/** Runs this command again, once, in a process that finds the package, with the options that only its engine knows. */
function again({ name }: Engine): void {
  const [program, ...before] = bulwarkCommand();
  const env = { ...process.env, [installed]: name };
  const { status } = spawnSync(program!, [...before, ...process.argv.slice(2)], { stdio: 'inherit', env });
  process.exitCode = status ?? 1;
}

/** `bulwark engine install <engine>` for an engine whose package is not there. */
function installPackaged(engine: Engine): Command {
  return new Command(engine.name)
    .description(engine.summary)
    .option('--json', 'print as JSON')
    .allowUnknownOption()
    .allowExcessArguments()
    .action(async (flags: { json?: boolean }) => {
      const output = createOutput(flags);
      const progress = (line: string) => output.line(line);
      if (process.env[installed] === engine.name)
        throw new BulwarkError(
          'ENGINE_INSTALL',
          `npm says that it installed the package of ${engine.name}, but it is not found`,
          {
            hint: `see where with \`npm ls @bulwark/engine-${engine.name}\``,
          },
        );
      await engine.installer!.install({}, { progress });
      again(engine);
    });
}

/** `bulwark engine install <engine>`, with the engine's own options. */
function installOne(engine: Engine): Command {
  if (packageOf(engine)) return installPackaged(engine);
  const command = new Command(engine.name)
    .description(engine.summary)
    .option('--json', 'print as JSON')
    .action(async ({ json, ...flags }: { json?: boolean } & Record<string, unknown>) => {
      const output = createOutput({ json });
      const { installer } = engine;
      if (!installer) return output.line(nothingToDo(engine));
      const began = Date.now();
      const options = installOptions(engine, flags);
      const part = await installer.install(options, { progress: (line) => output.line(line) });
      output.line(`${part.description}: ready after ${duration((Date.now() - began) / 1000)}`);
      if (engine.rank !== undefined) output.line('engine: auto considers it from now on');
      output.result(part);
    });
  addInstallFlags(command, engine);
  return command;
}

/** `bulwark engine install mpi`: no engine, but got in the same way. */
function installMpi(): Command {
  return new Command(mpiInstaller.name)
    .description(mpiInstaller.summary)
    .option('--force', 'install again although a working one is there')
    .option('--json', 'print as JSON')
    .action(async ({ json, force }: { json?: boolean; force?: boolean }) => {
      const output = createOutput({ json });
      const part = await mpiInstaller.install({ force }, (line) => output.line(line));
      output.line(`${part.description}: ready; next: bulwark train CONFIG --processes 2`);
      output.result(part);
    });
}

function removeMpi(): Command {
  return new Command(mpiInstaller.name).description(mpiInstaller.summary).action(async () => {
    sayRemoved(await mpiInstaller.remove());
  });
}

const sayRemoved = (removed: readonly InstalledPart[]): void =>
  createOutput({}).line(
    removed.length === 0 ? 'nothing was installed' : `removed ${removed.map(({ folder }) => folder).join(', ')}`,
  );

function installCommand(): Command {
  const command = new Command('install')
    .description('get an engine: its package, and what npm does not bring, native libraries')
    .addHelpText('after', '\nOptions of an engine:\n  bulwark engine install <engine> --help');
  return withEngines(command, installOne, installMpi());
}

interface Listed {
  readonly engine: string;
  readonly summary: string;
  readonly available: boolean;
  readonly reasons: readonly string[];
  readonly hint?: string;
  readonly installed: readonly InstalledPart[];
}

async function look(engine: Engine): Promise<Listed> {
  const probe = await probeOf(engine);
  const reasons = (probe.refusals ?? []).map(({ candidate, reason }) =>
    candidate === engine.name ? reason : `${candidate}: ${reason}`,
  );
  return {
    engine: engine.name,
    summary: engine.summary,
    available: probe.available,
    reasons,
    ...(!probe.available && { hint: probe.hint }),
    installed: engine.installer?.installed() ?? [],
  };
}

function listCommand(): Command {
  return new Command('list')
    .description('list all engines: which may work here, why the others do not, and what is installed for them')
    .option('--json', 'print as JSON')
    .addHelpText('after', '\nExample:\n  bulwark engine list')
    .action(async (flags: { json?: boolean }) => {
      const output = createOutput(flags);
      const engines = enginesOf(builtinRegistry());
      const listed: Listed[] = [];
      for (const engine of engines) listed.push(await look(engine));
      for (const { engine, summary, available, reasons, hint } of listed) {
        output.line(
          `${paint('bold', engine.padEnd(12))} ${available ? '' : paint('yellow', 'not available: ')}${summary}`,
        );
        for (const reason of available ? [] : reasons) output.line(`  ${reason}`);
        if (hint) output.line(`  ${hint}`);
      }
      const parts = engines.flatMap((engine, at) => listed[at]!.installed.map((part) => row(engine.name, part)));
      parts.push(...mpiInstaller.installed().map((part) => row(mpiInstaller.name, part)));
      if (parts.length > 0) output.line(`\n${table(['engine', 'installed', 'size', 'folder'], parts)}`);
      output.line('\n`bulwark doctor` starts them, compares their numbers and measures their speed');
      output.result(listed);
    });
}

function removeOne(engine: Engine): Command {
  return new Command(engine.name).description(engine.summary).action(async () => {
    const output = createOutput({});
    if (!engine.installer) return output.line(nothingToDo(engine));
    sayRemoved(await engine.installer.remove());
  });
}

function removeCommand(): Command {
  const command = new Command('remove').description(
    "remove what was installed for an engine from Bulwark's cache folder",
  );
  return withEngines(command, removeOne, removeMpi());
}

/** `bulwark engine install | list | remove`. */
export function engineCommand(): Command {
  const root = new Command('engine')
    .description('install, list or remove engines')
    .addHelpText('after', '\nExamples:\n  bulwark engine list\n  bulwark engine install --help');
  for (const command of [installCommand(), listCommand(), removeCommand()]) root.addCommand(command.exitOverride());
  return root;
}
