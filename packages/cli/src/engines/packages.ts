import { createRequire } from 'node:module';
import type { Engine } from '@bulwark/core';

const { version, peerDependencies } = createRequire(import.meta.url)('../../package.json') as {
  version: string;
  peerDependencies: Readonly<Record<string, string>>;
};

const prefix = '@bulwark/engine-';

/** A package that brings an engine, and what importing it gave. */
export interface EnginePackage {
  /** Of the engine: what follows `@bulwark/engine-`. */
  readonly name: string;
  /** What npm is asked for: the package in the version of this command. */
  readonly spec: string;
  /** Its engines; undefined if it cannot be imported. */
  readonly engines?: readonly Engine[];
  /** Why not; undefined if it is not installed. */
  readonly fault?: string;
}

const isEngine = (value: unknown): value is Engine => (value as Engine | undefined)?.kind === 'engine';

/** Whether the package itself was not found, not something that it imports. */
const isMissing = (error: unknown, name: string): boolean => {
  const { code, message } = error as NodeJS.ErrnoException;
  return (code === 'ERR_MODULE_NOT_FOUND' || code === 'MODULE_NOT_FOUND') && message.includes(`'${name}'`);
};

/** Imports one package, if it is installed beside this command. */
async function open(packageName: string): Promise<EnginePackage> {
  const about = { name: packageName.slice(prefix.length), spec: `${packageName}@${version}` };
  try {
    const exported = (await import(packageName)) as Record<string, unknown>;
    return { ...about, engines: Object.values(exported).filter(isEngine) };
  } catch (error) {
    return isMissing(error, packageName) ? about : { ...about, fault: (error as Error).message.split('\n')[0]! };
  }
}

/**
 * The packages with engines that this command knows: its optional peers. npm installs none of them by itself, since some bring more than a
 * hundred megabytes.
 */
export const enginePackages: readonly EnginePackage[] = await Promise.all(
  Object.keys(peerDependencies)
    .filter((name) => name.startsWith(prefix))
    .map(open),
);
