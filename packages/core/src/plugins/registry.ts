import 'reflect-metadata';
import { closest, distance } from 'fastest-levenshtein';
import { container, type DependencyContainer } from 'tsyringe';
import { BulwarkError } from '../errors.js';
import { pluginKinds, type Plugin, type PluginKind } from './plugin.js';

/** Plugins in a tsyringe container, under the token of their kind. A run gets a child, so that its own plugins stay its own. */
export interface PluginRegistry {
  readonly container: DependencyContainer;
  /** @throws BulwarkError PLUGIN_DUPLICATE if this registry (not a parent) has the kind and name already */
  register(...plugins: readonly Plugin[]): PluginRegistry;
  /**
   * @param besides another name that would have been allowed, for the message
   * @throws BulwarkError PLUGIN_UNKNOWN, naming the nearest known name
   */
  find<K extends PluginKind>(kind: K, name: string, besides?: string): Plugin<K>;
  /** All plugins, or those of one kind, parents first. */
  list(kind?: PluginKind): Plugin[];
  /** A registry that sees these plugins and can be given more without changing this one. */
  child(): PluginRegistry;
}

const token = (kind: PluginKind) => `bulwark:plugin:${kind}`;

/** The known name nearest to a mistyped one, if it is near enough to be meant. */
export function nearest(name: string, known: readonly string[]): string | undefined {
  if (known.length === 0) return undefined;
  const candidate = closest(name, [...known]);
  return distance(name, candidate) <= Math.max(2, Math.floor(name.length / 2)) ? candidate : undefined;
}

function registryOver(scope: DependencyContainer, parent?: PluginRegistry): PluginRegistry {
  const own = (kind: PluginKind): Plugin[] =>
    scope.isRegistered(token(kind)) ? scope.resolveAll<Plugin>(token(kind)) : [];
  const registry: PluginRegistry = {
    container: scope,
    register(...plugins) {
      for (const plugin of plugins) {
        const name = `${plugin.kind} ${plugin.name}`;
        if (registry.list(plugin.kind).some((known) => known.name === plugin.name))
          throw new BulwarkError('PLUGIN_DUPLICATE', `${name} is registered already`, {
            hint: 'give the plugin another name',
          });
        scope.register(token(plugin.kind), { useValue: plugin });
      }
      return registry;
    },
    find<K extends PluginKind>(kind: K, name: string, besides?: string) {
      const known = registry.list(kind);
      const found = known.find((plugin) => plugin.name === name);
      if (found) return found as Plugin<K>;
      const names = [...(besides === undefined ? [] : [besides]), ...known.map((plugin) => plugin.name)];
      const near = nearest(name, names);
      throw new BulwarkError(
        'PLUGIN_UNKNOWN',
        `no ${kind} is called ${JSON.stringify(name)}; known: ${names.join(', ')}`,
        {
          hint: near ? `did you mean ${near}?` : 'run `bulwark plugins` to see all',
        },
      );
    },
    list(kind) {
      const kinds = kind ? [kind] : pluginKinds;
      const mine = kinds.flatMap((k) => own(k));
      const theirs = parent?.list(kind) ?? [];
      return [...theirs.filter((plugin) => !mine.includes(plugin)), ...mine];
    },
    child: () => registryOver(scope.createChildContainer(), registry),
  };
  return registry;
}

/**
 * A registry with these plugins, independent of every other.
 * @example
 * ```ts
 * const mine = defineSchedule({
 *   name: 'mine',
 *   summary: 'Half the rate.',
 *   create: () => ({ factor: () => 0.5 }),
 * });
 * createRegistry([mine]).find('schedule', 'mine').summary; // => "Half the rate."
 * createRegistry([mine]).find('schedule', 'yours'); // throws PLUGIN_UNKNOWN
 * ```
 * @category Plugins
 */
export function createRegistry(plugins: readonly Plugin[] = []): PluginRegistry {
  return registryOver(container.createChildContainer()).register(...plugins);
}
