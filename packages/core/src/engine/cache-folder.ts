import { homedir } from 'node:os';
import { join, resolve } from 'node:path';

/** Bulwark's folder for things it can make or fetch again: `BULWARK_CACHE`, else `bulwark` below `XDG_CACHE_HOME`, else below ~/.cache; a whole path. */
export function cacheFolder(): string {
  const { BULWARK_CACHE, XDG_CACHE_HOME } = process.env;
  return resolve(BULWARK_CACHE || join(XDG_CACHE_HOME || join(homedir(), '.cache'), 'bulwark'));
}
