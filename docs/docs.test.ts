import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { errorCatalogue, useEngine, type Plugin } from '@bulwark/core';
import { pluginKinds } from '@bulwark/core/plugins';
import { checkConfig, checkSpec, loadPlugins } from '@bulwark/core/run';
import { contractOf } from '@bulwark/core/testing';
import { builtinRegistry, checkSweep, layOver, program } from '@bulwark/cli';
import { parse as parseYaml } from 'yaml';
import ts from 'typescript';

const docs = dirname(fileURLToPath(import.meta.url));
const blocks = join(docs, '.blocks');

const pages = readdirSync(docs, { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.md') && !path.startsWith('site'))
  .concat('../README.md')
  .sort();
const guides = pages.filter((path) => path.startsWith('guides'));
const textOf = (page: string) => readFileSync(join(docs, page), 'utf8');

interface Block {
  readonly page: string;
  readonly code: string;
  /** `guides/quick-start.md, ts 1`. */
  readonly name: string;
  readonly file: string;
}

const blocksIn = (language: string, where: readonly string[]): Block[] =>
  where.flatMap((page) =>
    [...textOf(page).matchAll(new RegExp(`^\`\`\`${language}\\n([^]*?)^\`\`\``, 'gm'))].map(([, code], i) => ({
      page,
      code: code!,
      name: `${page}, ${language} ${i + 1}`,
      file: join(blocks, `${page.replace(/\W+/g, '-').replace(/^-|-md$/g, '')}-${i + 1}.ts`),
    })),
  );

/** Examples in the comments of what programs call, with its import. */
const examples: Block[] = ['evaluate', 'load-run', 'train'].flatMap((program) => {
  const page = `../packages/cli/src/programs/${program}.ts`;
  return [...textOf(page).matchAll(/^ *\* ```ts\n([^]*?)^ *\* ```/gm)].map(([, lines], i) => ({
    page,
    code: `import { evaluate, loadRun, startRun, train } from '@bulwark/cli';\n${lines!.replace(/^ *\* ?/gm, '')}`,
    name: `example ${i + 1} of ${program}.ts`,
    file: join(blocks, `example-${program}-${i + 1}.ts`),
  }));
});

const typescript = [...blocksIn('ts', pages), ...examples];

beforeAll(async () => {
  await useEngine('wasm');
  mkdirSync(blocks, { recursive: true });
  for (const { file, code } of typescript) writeFileSync(file, code);
});

afterAll(() => rmSync(blocks, { recursive: true, force: true }));

describe('TypeScript in the documentation', () => {
  it('has examples of evaluate for every kind of question', () => {
    expect(examples.filter(({ name }) => name.endsWith(' of evaluate.ts'))).toHaveLength(4);
  });
  it('passes the type checker', () => {
    const { config } = ts.readConfigFile(join(docs, '../tsconfig.docs.json'), (path) => readFileSync(path, 'utf8'));
    const { options } = ts.parseJsonConfigFileContent(config, ts.sys, join(docs, '..'));
    const compiled = ts.createProgram(
      typescript.map(({ file }) => file),
      { ...options, noUnusedLocals: false },
    );
    const found = typescript.flatMap(({ file, name }) => {
      const source = compiled.getSourceFile(file);
      return [...compiled.getSyntacticDiagnostics(source), ...compiled.getSemanticDiagnostics(source)].map(
        ({ messageText, start }) => `${name}, at ${start}: ${ts.flattenDiagnosticMessageText(messageText, ' ')}`,
      );
    });
    expect(found).toEqual([]);
  });

  const isPlugin = (value: unknown): value is Plugin =>
    (pluginKinds as readonly unknown[]).includes((value as Plugin | undefined)?.kind);

  it.each(typescript.filter(({ code }) => code.includes('export const')).map((block) => [block.name, block] as const))(
    'runs, and its plugins keep their promises: %s',
    async (_name, { file }) => {
      const exported = (await import(file)) as Record<string, unknown>;
      for (const plugin of Object.values(exported).filter(isPlugin))
        for (const { run } of contractOf(plugin as Plugin<'objective'>, {
          plugins: builtinRegistry().list() as Plugin[],
        }))
          await run();
    },
  );
});

describe('YAML in the documentation', () => {
  const base = {
    data: { use: 'fashion-mnist-mini' },
    model: 'mlp',
    threat: { epsilon: 0.1 },
    objective: 'natural',
    epochs: 1,
  };
  /** Plugins that a block loads by path are those that the same page defines. */
  const registryFor = async (page: string) => {
    const registry = builtinRegistry().child();
    const files = typescript.filter(
      (block) => block.page === page && /export const \w+ = define(?!Config)/.test(block.code),
    );
    await loadPlugins(
      files.map(({ file }) => file),
      { registry, baseFolder: docs, importModule: (url) => import(url) as Promise<Record<string, unknown>> },
    );
    return registry;
  };
  const sweepBase = { config: 'st.yaml', search: { use: 'grid', over: {} } };
  const yaml = blocksIn('yaml', pages);
  it.each(yaml.filter(({ page }) => page === 'sweeps.md').map((block) => [block.name, block] as const))(
    'is a sweep file, or a part of one: %s',
    (name, { code }) => {
      const { launcher } = checkSweep(layOver(sweepBase, parseYaml(code) as Record<string, unknown>), name);
      expect(() => checkSpec(builtinRegistry(), 'launcher', launcher, ['launcher'])).not.toThrow();
    },
  );

  // alternatives may share a block: the last one counts
  it.each(yaml.filter(({ page }) => page !== 'sweeps.md').map((block) => [block.name, block] as const))(
    'is a config, or a part of one: %s',
    async (_name, { page, code }) => {
      const { plugins: _plugins, ...config } = parseYaml(code, { uniqueKeys: false }) as Record<string, unknown>;
      const registry = await registryFor(page);
      expect(() => checkConfig(layOver(base, config), registry)).not.toThrow();
    },
  );
});

it.each(pages.filter((page) => !page.endsWith('README.md')))(
  '%s has a title for the sidebar, in capitals and small letters',
  (page) => {
    const [, title] = /^---\ntitle: "?([^"\n]+)"?\n/.exec(textOf(page)) ?? [];
    expect(title).toMatch(/^[A-Z][^`]+$/);
  },
);

describe('commands in the documentation', () => {
  const commands = blocksIn('sh', pages).flatMap(({ code, name }) =>
    code
      .split('\n')
      .map((line) => line.replace(/\s+#.*$/, '').trim())
      .filter((line) => /^(npx )?bulwark /.test(line))
      .map((line) => [line.replace(/^npx /, ''), name] as const),
  );
  it.each(commands)('%s', (line) => {
    const [, ...words] = line.split(/\s+/);
    let command = program();
    while (words.length > 0) {
      const next = command.commands.find((each) => each.name() === words[0]);
      if (!next) break;
      command = next;
      words.shift();
    }
    expect(command.parent).not.toBeNull();
    const known = command.options.flatMap(({ long, short }) => [long, short]);
    for (const word of words.filter((each) => each.startsWith('--'))) expect(known).toContain(word.split('=')[0]);
  });
});

describe('lists in the documentation', () => {
  it('troubleshooting has an entry for every error, and none besides', () => {
    const entries = [...textOf('troubleshooting.md').matchAll(/^## (\w+)$/gm)].map(([, code]) => code);
    expect(entries).toEqual(Object.keys(errorCatalogue));
  });

  it('plugins.md is what the registry has (UPDATE_DOCS=1 writes it)', () => {
    const path = join(docs, 'plugins.md');
    const expected = pluginPage(builtinRegistry().list());
    if (process.env['UPDATE_DOCS']) writeFileSync(path, expected);
    expect(readFileSync(path, 'utf8')).toBe(expected);
  });

  it('architecture.md is what the code is (node scripts/architecture.mjs writes it)', () => {
    const check = spawnSync(process.execPath, [join(docs, '../scripts/architecture.mjs'), '--check'], {
      encoding: 'utf8',
    });
    expect(check.stderr).toBe('');
    expect(check.status).toBe(0);
  });

  it('the front page names every guide', () => {
    for (const guide of guides) expect(textOf('README.md')).toContain(`(${guide})`);
  });

  it.each(pages)('every relative link of %s leads somewhere', (page) => {
    const links = [
      ...textOf(page)
        .replace(/^```[^]*?^```/gm, '')
        .matchAll(/\]\((?!https?:)([^)#\s]+)/g),
    ].map(([, to]) => to!);
    const broken = links.filter((to) => !existsSync(join(docs, dirname(page), to)));
    expect(broken).toEqual([]);
  });
});

/** The list of plugins as a page: one table for each kind. */
function pluginPage(plugins: readonly Plugin[]): string {
  const methods = readdirSync(join(docs, 'methods'));
  const link = (name: string) => (methods.includes(`${name}.md`) ? `[\`${name}\`](methods/${name}.md)` : `\`${name}\``);
  const tables = pluginKinds.map((kind) => {
    const rows = plugins.filter((plugin) => plugin.kind === kind);
    const lines = rows.map(({ name, summary, cite }) => `- ${link(name)}: ${summary}${cite ? ` ${cite}.` : ''}`);
    return `## ${kind}\n\n${lines.join('\n')}\n`;
  });
  const about = 'Everything that comes with Bulwark, by kind. `bulwark plugins <name>` shows options and defaults.';
  return `---\ntitle: All plugins\n---\n\n# All plugins\n\n${about}\n\n${tables.join('\n')}`;
}

it('keeps its blocks out of the repository', () => {
  expect(readFileSync(join(docs, '../.gitignore'), 'utf8')).toContain(`/${relative(join(docs, '..'), blocks)}/`);
});
