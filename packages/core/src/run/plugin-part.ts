import type { PluginSpec } from '../plugins/index.js';
import type { RunConfig } from './config.js';

/** Options of a section that belong to the run, not to its plugin. */
export const runLevel = { data: ['batchSize', 'accumulate', 'augment'], optimizer: ['schedule', 'clipNorm'] } as const;

/** The plugin's part of a mixed section; it is there. */
export function pluginPart(section: 'data' | 'optimizer', config: Partial<RunConfig>): PluginSpec {
  const own = runLevel[section] as readonly string[];
  return Object.fromEntries(Object.entries(config[section]!).filter(([key]) => !own.includes(key))) as PluginSpec;
}
