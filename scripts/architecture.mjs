// Writes docs/architecture.md: the floors as scripts/floors.mjs states them, and what really imports what.
//   node scripts/architecture.mjs [--check]
// With --check it writes nothing and fails where the page is not what it would write.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { format, resolveConfig } from 'prettier';
import { floors, packages } from './floors.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const source = join(root, 'packages/core/src');
const page = join(root, 'docs/architecture.md');

const isTest = (file) => /(\.test|testing)\.ts$/.test(file) || file.split(sep).includes('testing');
const sourcesOf = (folder) =>
  readdirSync(folder, { recursive: true })
    .filter((file) => file.endsWith('.ts') && !isTest(file))
    .sort();
/** Imported modules of a file, as written. */
const importsOf = (file) =>
  [...readFileSync(file, 'utf8').matchAll(/^(?:import|export)\s[^'"]*?from\s+'([^']+)'|^import\s+'([^']+)'/gm)].map(
    ([, from, alone]) => from ?? alone,
  );

/** Rooms that a room's files import, by room. */
function roomImports() {
  const found = new Map();
  for (const file of sourcesOf(source)) {
    const room = file.split(sep)[0];
    for (const imported of importsOf(join(source, file)).filter((name) => name.startsWith('.'))) {
      const to = relative(source, join(source, dirname(file), imported))
        .split(sep)[0]
        .replace(/\.js$/, '.ts');
      if (to !== room) found.set(room, (found.get(room) ?? new Set()).add(to));
    }
  }
  return found;
}

/** Packages of ours that a package's files import. */
function packageImports(name) {
  const folder = join(root, 'packages', name, 'src');
  const named = sourcesOf(folder)
    .flatMap((file) => importsOf(join(folder, file)))
    .flatMap((imported) => /^@bulwark\/([\w-]+)/.exec(imported)?.[1] ?? []);
  return [...new Set(named)].filter((other) => other !== name).sort();
}

const row = (...cells) => `| ${cells.join(' | ')} |\n`;
const table = (head, rows) =>
  row(...head) + row(...head.map(() => '---')) + rows.map((cells) => row(...cells)).join('');
const code = (names) => names.map((name) => `\`${name.replace(/\.ts$/, '')}\``).join(', ');

function text() {
  const imports = roomImports();
  const order = floors.flatMap(({ rooms }) => rooms);
  const below = (room) => code([...(imports.get(room) ?? [])].sort((a, b) => order.indexOf(a) - order.indexOf(b)));
  const doors = Object.keys(JSON.parse(readFileSync(join(root, 'packages/core/package.json'), 'utf8')).exports);
  return `---
title: Architecture
---

# Architecture

This page is written by \`node scripts/architecture.mjs\` and held by a test.

## Floors of core

A room is a folder or a file of \`packages/core/src\`. It imports only from floors below its own: \`scripts/floors.mjs\` says which is where, and lint
refuses an import that goes up. The trainer knows the hooks' contracts only: not the plugins beside it.

${table(
  ['floor', 'rooms', 'what is there', 'imports'],
  floors
    .map(({ rooms, what }, level) => [
      String(level + 1),
      code(rooms),
      what,
      rooms.length === 1
        ? below(rooms[0])
        : rooms.map((room) => `${code([room])}: ${below(room) || 'none'}`).join('; '),
    ])
    .reverse(),
)}
Above them stand \`browser\` and \`testing\` (the conformance kit), and \`programs\`, which loads trainer, attacks and engines when a program calls them.

## Doors

\`@bulwark/core\` is what authors write with, and the functions that whole programs are made of; it has every type. Everything else is imported from the door of
its room: ${code(doors.slice(1).map((door) => `@bulwark/core${door.slice(1)}`))}.
\`node scripts/measure-import.mjs\` counts the values behind each door and the time that it takes to open.

## Packages

${table(
  ['package', 'may import, besides core', 'imports'],
  Object.entries(packages).map(([name, allowed]) => [
    `\`${name}\``,
    code(allowed) || 'nothing',
    code(packageImports(name)),
  ]),
)}
An engine's package is an optional peer of the command: nobody installs GPU binaries for the WebAssembly default.
`;
}

const written = await format(text(), { ...(await resolveConfig(page)), filepath: page });
if (!process.argv.includes('--check')) writeFileSync(page, written);
else if (readFileSync(page, 'utf8') !== written) {
  console.error('docs/architecture.md is not what the code is: run node scripts/architecture.mjs');
  process.exitCode = 1;
}
