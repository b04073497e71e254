import { homedir } from 'node:os';
import { join } from 'node:path';
import { BulwarkError } from '@bulwark/core';
import { readIfThere, writeAtomically } from '@bulwark/core/files';
import { z } from 'zod';

/** Bulwark's folder for what the user has decided: `BULWARK_CONFIG`, else `bulwark` below `XDG_CONFIG_HOME`, else below ~/.config. */
const configFolder = (): string =>
  process.env['BULWARK_CONFIG'] || join(process.env['XDG_CONFIG_HOME'] || join(homedir(), '.config'), 'bulwark');

const storeSchema = z.strictObject({
  version: z.literal(1),
  trusted: z.array(
    z.strictObject({
      /** The module, for people who read this. */
      file: z.string(),
      /** Over its code, as `pluginCode` gives it. */
      sha256: z.string().regex(/^[0-9a-f]{64}$/),
    }),
  ),
});
type Trusted = z.infer<typeof storeSchema>['trusted'];

/** Plugins that the user trusts, by fingerprint. */
export interface TrustStore {
  readonly file: string;
  has(sha256: string): boolean;
  /** @throws BulwarkError FILE_WRITE */
  add(plugins: Trusted): void;
  /** Forgets every version of these files. @returns how many there were; @throws BulwarkError FILE_WRITE */
  forget(files: readonly string[]): number;
}

function read(file: string): Trusted {
  try {
    const text = readIfThere(file)?.toString('utf8');
    return text === undefined ? [] : storeSchema.parse(JSON.parse(text)).trusted;
  } catch (cause) {
    throw new BulwarkError('PLUGIN_UNTRUSTED', `${file} cannot be read: ${(cause as Error).message.slice(0, 200)}`, {
      hint: `mend or delete it; without it no plugin is trusted`,
      cause,
    });
  }
}

/** The plugins that this user trusts, from a file in the home folder: never from a run folder. */
export function trustStore(): TrustStore {
  const file = join(configFolder(), 'trusted-plugins.json');
  const write = (trusted: Trusted) => writeAtomically(file, `${JSON.stringify({ version: 1, trusted }, null, 2)}\n`);
  return {
    file,
    has: (sha256) => read(file).some((each) => each.sha256 === sha256),
    add(plugins) {
      const known = read(file);
      const fresh = plugins.filter(({ sha256 }) => !known.some((each) => each.sha256 === sha256));
      if (fresh.length > 0) write([...known, ...fresh]);
    },
    forget(files) {
      const known = read(file);
      const kept = known.filter((each) => !files.includes(each.file));
      if (kept.length < known.length) write(kept);
      return known.length - kept.length;
    },
  };
}
