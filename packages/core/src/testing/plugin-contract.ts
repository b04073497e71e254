import { BulwarkError } from '../errors.js';
import { checkObjective, type Objective } from '../hooks/index.js';
import { pluginReferences, type Plugin } from '../plugins/index.js';
import { contracts, promise, type Contract } from './contract.js';
import { engineOf, makePlugin, type ContractOptions } from './fixture.js';
import { z } from 'zod';

const kebab = /^[a-z0-9]+(-[a-z0-9]+)*$/;

/** Options that have no description, as paths. */
function undescribed(schema: z.ZodType, path = ''): string[] {
  const described = (entry: z.ZodType): boolean => {
    const { innerType } = entry._zod.def as { innerType?: z.ZodType };
    return (
      Boolean(entry.description) || pluginReferences.has(entry) || (innerType !== undefined && described(innerType))
    );
  };
  const { shape } = schema as { shape?: Record<string, z.ZodType> };
  return Object.entries(shape ?? {}).flatMap(([name, entry]) => {
    const nested = unwrapped(entry);
    return [...(described(entry) ? [] : [`${path}${name}`]), ...undescribed(nested, `${path}${name}.`)];
  });
}

function unwrapped(schema: z.ZodType): z.ZodType {
  const { innerType } = schema._zod.def as { innerType?: z.ZodType };
  return innerType ? unwrapped(innerType) : schema;
}

const codeOf = (work: () => unknown): string | undefined => {
  try {
    work();
    return undefined;
  } catch (error) {
    return error instanceof BulwarkError ? error.code : String(error);
  }
};

/** What plugins of every kind promise: a name, words about themselves, and options that are checked before anything runs. */
export function definitionContract(plugin: Plugin, options: ContractOptions = {}): Contract[] {
  const make = (given: Readonly<Record<string, unknown>>) => () => {
    const made = makePlugin(plugin, options, given);
    return plugin.kind === 'objective' ? checkObjective(made as Objective, plugin.name) : made;
  };
  return contracts(engineOf(options), {
    'has a lower-case name, a summary, and a description of every option'() {
      promise(kebab.test(plugin.name), () => `the name ${plugin.name} is not lower case with hyphens`);
      promise(
        plugin.summary.trim().endsWith('.'),
        () => `the summary ${JSON.stringify(plugin.summary)} is no sentence`,
      );
      const missing = undescribed(plugin.options);
      promise(missing.length === 0, () => `options without .describe(...): ${missing.join(', ')}`);
    },
    'refuses options that it does not know'() {
      const code = codeOf(make({ ...options.options, 'no-such-option': 1 }));
      promise(
        code === 'CONFIG_INVALID',
        () => `an unknown option gives ${code ?? 'no error'} instead of CONFIG_INVALID`,
      );
    },
    'refuses options out of range'() {
      for (const given of options.refused ?? []) {
        const code = codeOf(make({ ...options.options, ...given }));
        const expected = ['CONFIG_INVALID', 'PLUGIN_UNKNOWN', 'ROLE_MISSING'];
        promise(
          expected.includes(code ?? ''),
          () => `${JSON.stringify(given)} gives ${code ?? 'no error'} when the run is composed`,
        );
      }
    },
    'writes nothing into its options'() {
      const given = structuredClone(options.options ?? {});
      makePlugin(plugin, options, given);
      promise(JSON.stringify(given) === JSON.stringify(options.options ?? {}), () => 'create changed the options');
    },
  });
}
