import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { createRegistry, type Plugin, type PluginSpec } from '@bulwark/core';
import { checkSpec } from '@bulwark/core/run';
import { modelPlugins } from '@bulwark/models';
import { objectivePlugins } from '@bulwark/objectives';
import { parse } from 'yaml';

const folder = new URL('.', import.meta.url);
const methods = objectivePlugins.filter(({ kind }) => kind === 'objective' || kind === 'weight-perturber');
const pages = readdirSync(folder)
  .filter((file) => file.endsWith('.md'))
  .map((file) => file.replace('.md', ''));
const page = (name: string) => readFileSync(new URL(`${name}.md`, folder), 'utf8');
const registry = createRegistry([...objectivePlugins, ...modelPlugins]);

type Schema = { shape?: Record<string, Schema>; _zod: { def: { innerType?: Schema } } } & Plugin['options'];

/** Option paths of a schema, those inside `inner` included, with their defaults. */
function optionsOf(schema: Schema, prefix = ''): [path: string, fallback: unknown][] {
  return Object.entries(schema.shape ?? {}).flatMap(([name, entry]) => {
    let nested: Schema | undefined = entry;
    while (nested && !nested.shape) nested = nested._zod.def.innerType;
    if (nested) return optionsOf(nested, `${prefix}${name}.`);
    const parsed = entry.safeParse(undefined);
    return [[`${prefix}${name}`, parsed.success ? parsed.data : 'required']];
  });
}

const written = (fallback: unknown): string => {
  if (fallback === undefined) return '-';
  if (fallback === 'required') return '`required`';
  if (fallback === 2 / 255) return '`2/255`';
  const use = (fallback as { use?: string }).use;
  return `\`${use ?? JSON.stringify(fallback)}\``;
};

describe('the pages of the methods', () => {
  it('are one for each objective and weight perturber, and no others', () => {
    expect([...pages].sort()).toEqual(methods.map(({ name }) => name).sort());
  });

  it.each(methods.map((plugin) => [plugin.name, plugin] as const))(
    '%s has all sections and its citation',
    (name, plugin) => {
      const text = page(name);
      for (const section of ['What it computes', 'Config', 'Options', 'What a step costs', 'Departures from the paper'])
        expect(text).toContain(`\n## ${section}\n`);
      expect(text).toContain(plugin.summary);
      if (plugin.cite) expect(text).toContain(plugin.cite);
    },
  );

  it.each(methods.map((plugin) => [plugin.name, plugin] as const))(
    '%s lists its options with their defaults',
    (name, plugin) => {
      const listed = [...page(name).matchAll(/^\| `([\w.]+)` +\| (\S.*?) +\|/gm)].map(([, path, text]) => [path, text]);
      expect(listed).toEqual(optionsOf(plugin.options as Schema).map(([path, fallback]) => [path, written(fallback)]));
    },
  );

  it.each(methods.map(({ name }) => name))('%s shows a config that is accepted', (name) => {
    const [, yaml] = /```yaml\n([^`]*)```/.exec(page(name))!;
    const config = parse(yaml!) as { objective: PluginSpec; weightPerturber?: PluginSpec };
    expect([config.objective.use, config.weightPerturber?.use]).toContain(name);
    expect(() => checkSpec(registry, 'objective', config.objective, ['objective'])).not.toThrow();
    if (config.weightPerturber)
      expect(() => checkSpec(registry, 'weight-perturber', config.weightPerturber!, ['weightPerturber'])).not.toThrow();
  });
});
