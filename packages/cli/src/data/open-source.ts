import { createRandom, type DataSource, type PluginProducts, type PluginKind, type PluginRegistry, type PluginServices, type PluginSpec } from '@bulwark/core';
import { checkSpec } from '@bulwark/core/run';

const notForData = (what: string): never => {
  throw new Error(`a data source asked for ${what}, which only a run has`);
};

/** A data source outside a run: its options checked as in a config, relative paths resolved against the working folder. */
export async function openSource(
  spec: PluginSpec,
  context: { registry: PluginRegistry; warn: (message: string) => void },
): Promise<DataSource> {
  const { registry, warn } = context;
  const services: PluginServices = {
    make<K extends PluginKind>(kind: K, { use, ...options }: PluginSpec): PluginProducts[K] {
      const plugin = registry.find(kind, use);
      return plugin.create(plugin.options.parse(options), services) as PluginProducts[K];
    },
    random: (purpose) => createRandom(0, purpose),
    baseFolder: process.cwd(),
    warn,
    get threat() {
      return notForData('the threat model');
    },
    get inputShape() {
      return notForData('the input shape');
    },
    get classNames() {
      return notForData('the class names');
    },
  };
  return services.make('data', checkSpec(registry, 'data', spec, ['data']));
}
