import type { PluginKind, PluginProducts, PluginRegistry, PluginServices, PluginSpec } from '@bulwark/core';
import { checkSpec } from '@bulwark/core/run';

/**
 * Makes a plugin from a config section, checked as a run checks it.
 * @throws BulwarkError CONFIG_INVALID, naming the option
 */
export function makePlugin<K extends PluginKind>(
  registry: PluginRegistry,
  kind: K,
  spec: PluginSpec,
  data?: Pick<PluginServices, 'inputShape' | 'classNames'>,
): PluginProducts[K] {
  const absent = (): never => {
    throw new Error('a plugin asked for a service that golden cases do not have');
  };
  const services: PluginServices = {
    make<L extends PluginKind>(of: L, { use, ...options }: PluginSpec) {
      const plugin = registry.find(of, use);
      return plugin.create(plugin.options.parse(options), services) as PluginProducts[L];
    },
    random: absent,
    get threat() {
      return absent();
    },
    get inputShape() {
      return data?.inputShape ?? absent();
    },
    get classNames() {
      return data?.classNames ?? absent();
    },
    baseFolder: '.',
    warn: () => undefined,
  };
  return services.make(kind, checkSpec(registry, kind, spec, [kind]));
}
