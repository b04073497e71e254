import { z } from 'zod';
import { pluginKinds, pluginReferences, type Plugin, type PluginKind, type PluginRegistry } from '../plugins/index.js';
import { batchNormSection, runConfigSchema } from './config.js';

type Schema = Record<string, unknown> & { properties?: Record<string, Schema>; required?: string[] };

/** A place that names a plugin of a kind, or a name besides. */
const definition = ({ kind, besides }: { kind: PluginKind; besides?: string }): Schema => {
  const named = { $ref: `#/$defs/${kind}` };
  if (besides === undefined) return named;
  const section = {
    type: 'object',
    properties: { use: { const: besides } },
    required: ['use'],
    additionalProperties: false,
  };
  return { anyOf: [{ const: besides }, section, named] };
};

/** A Zod schema as JSON schema with its defaults; places that name a plugin refer to `#/$defs/<kind>`. */
export function optionsJsonSchema(schema: z.ZodType): Schema {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, {
    io: 'input',
    unrepresentable: 'any',
    override({ zodSchema, jsonSchema }) {
      const { type, defaultValue } = zodSchema._zod.def as { type: string; defaultValue?: unknown };
      // Zod leaves out defaults behind a transform (fractions): they are of the output's type, which inputs accept, too
      if (type === 'default') jsonSchema.default = defaultValue as typeof jsonSchema.default;
      const reference = pluginReferences.get(zodSchema as never);
      if (!reference) return;
      for (const key of Object.keys(jsonSchema)) delete (jsonSchema as Schema)[key];
      Object.assign(jsonSchema, definition(reference));
    },
  }) as Schema;
  return rest;
}

/** One plugin's section: `use` and its options, beside what the run itself keeps in that section. */
function section(plugin: Plugin, own: Schema = {}): Schema {
  const options = optionsJsonSchema(plugin.options);
  const { use: _, ...ownProperties } = own.properties ?? {};
  return {
    type: 'object',
    description: plugin.summary,
    properties: { use: { const: plugin.name }, ...ownProperties, ...options.properties },
    required: ['use', ...(options.required ?? [])],
    additionalProperties: options['additionalProperties'] ?? false,
  };
}

/** JSON schema (draft 2020-12) of a run's config, made from the same schemas that check it, for the plugins of a registry. */
export function configJsonSchema(registry: PluginRegistry): Schema {
  const root = optionsJsonSchema(runConfigSchema);
  const properties = { ...root.properties };
  for (const kind of ['data', 'optimizer'] as const)
    properties[kind] = {
      description: properties[kind]!['description'],
      anyOf: registry.list(kind).map((plugin) => section(plugin, properties[kind])),
    };
  properties['batchNorm'] = {
    description: properties['batchNorm']!['description'],
    anyOf: [{ enum: batchNormSection.shape.use.unwrap().options }, optionsJsonSchema(batchNormSection)],
  };
  const { description, ...oneThreat } = properties['threat']!;
  properties['threat'] = { description, anyOf: [oneThreat, { type: 'array', items: oneThreat, minItems: 1 }] };
  const definitions = Object.fromEntries(
    pluginKinds.map((kind) => {
      const plugins = registry.list(kind);
      return [
        kind,
        { anyOf: [{ enum: plugins.map(({ name }) => name) }, ...plugins.map((plugin) => section(plugin))] },
      ];
    }),
  );
  // with `extends`, the base may hold what this file leaves out
  const { required: _, ...rest } = root;
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'Bulwark run',
    ...rest,
    properties,
    $defs: definitions,
  };
}
