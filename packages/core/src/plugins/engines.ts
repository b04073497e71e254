import type { Engine } from '../engine/index.js';
import { byRank } from '../engine/rank.js';
import type { PluginRegistry } from './registry.js';

/** The engines of a registry: in the order in which `auto` tries them, then those that it never takes. */
export function enginesOf(registry: PluginRegistry): readonly Engine[] {
  const engines = registry.list('engine') as unknown as readonly Engine[];
  return [...byRank(engines), ...engines.filter(({ rank }) => rank === undefined)];
}
