import { homedir } from 'node:os';
import { join } from 'node:path';

/** Bulwark's folder for things it can make or fetch again: `BULWARK_CACHE`, else `bulwark` below `XDG_CACHE_HOME`, else below ~/.cache. */
export function cacheFolder(): string {
  return process.env['BULWARK_CACHE'] || join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'bulwark');
}
