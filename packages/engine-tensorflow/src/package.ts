import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import * as util from 'node:util';
import type { KernelBackend } from '@tensorflow/tfjs-core';
import type { NativeBinding, NodeBackend } from './binding.js';
import { packageRequire } from './commonjs.js';
import { nodeApiLevel } from '@bulwark/core/install';
import { operatorSources } from './sources.js';

const nodeRequire = createRequire(import.meta.url);

/** A tfjs-node package on disk that might work. */
export interface NodePackage {
  readonly name: '@tensorflow/tfjs-node' | '@tensorflow/tfjs-node-gpu';
  readonly folder: string;
}

/** tfjs-node 4.22 calls functions that Node 23 removed; it gets them here, `node:util` stays as it is. */
const utilForTfjsNode = {
  ...util,
  isNullOrUndefined: (value: unknown) => value === null || value === undefined,
  isArray: Array.isArray,
};

/** An addon beside the binding that our installer builds, to mute stderr for a moment; the official package has none. */
export const quietAddon = 'quiet.node';

/** An addon beside the binding that our installer builds from the present sources: it brings ops of our own (native/operators.h). */
export const operatorsAddon = (): string => `bulwark-operators-${operatorSources().digest}.node`;

/** Where that addon lies, if it is there. */
export function operatorsPath(folder: string): string | undefined {
  const binding = bindingPath(folder);
  const path = binding && join(dirname(binding), operatorsAddon());
  return path && existsSync(path) ? path : undefined;
}

/** Where our installer puts the addons that it builds. */
export const bindingFolder = (folder: string): string => join(folder, 'lib', `napi-v${nodeApiLevel}`);

/** The addon of the highest Node-API level that this Node knows, or undefined. */
export function bindingPath(folder: string): string | undefined {
  for (let level = Number(process.versions.napi); level > 0; level--) {
    const path = join(folder, 'lib', `napi-v${level}`, 'tfjs_binding.node');
    if (existsSync(path)) return path;
  }
  return undefined;
}

/** Our project's copy of tfjs-node or tfjs-node-gpu, if npm kept it. */
export function projectPackage(name: NodePackage['name']): NodePackage | undefined {
  try {
    return { name, folder: dirname(nodeRequire.resolve(`${name}/package.json`)) };
  } catch {
    return undefined;
  }
}

/** The version that the package's own package.json states. */
export function packageVersion(folder: string): string {
  return (JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { version: string }).version;
}

/** Loads the native library into this process. Throws what the dynamic linker says. */
export function loadBinding(folder: string): NativeBinding {
  const path = bindingPath(folder);
  if (!path)
    throw new Error(`${join(folder, 'lib')} has no tfjs_binding.node: the package's install script did not finish`);
  const quietPath = join(dirname(path), quietAddon);
  const wantsLog = process.env.TF_CPP_MIN_LOG_LEVEL === '0';
  const quiet =
    existsSync(quietPath) && !wantsLog ? (nodeRequire(quietPath) as { mute(): void; unmute(): void }) : undefined;
  const quietly = <T>(work: () => T): T => {
    quiet?.mute();
    try {
      return work();
    } finally {
      quiet?.unmute();
    }
  };
  const binding = quietly(() => nodeRequire(path) as NativeBinding);
  // Reading a graph is told on stderr as well, where the environment's log level does not reach the library (in Jest).
  const loadSavedModel: NativeBinding['loadSavedModel'] = (folder, tags) =>
    quietly(() => binding.loadSavedModel(folder, tags));
  return Object.create(binding, { loadSavedModel: { value: loadSavedModel } }) as NativeBinding;
}

/** Registers tfjs-node's kernels with our tfjs-core and returns a function that makes its backend. */
export function loadKernels({ name, folder }: NodePackage, binding: NativeBinding): () => KernelBackend & NodeBackend {
  const tf = nodeRequire('@tensorflow/tfjs-core') as unknown;
  const require = packageRequire(folder, {
    '@tensorflow/tfjs': tf,
    '@tensorflow/tfjs-core': tf,
    util: utilForTfjsNode,
    // Only TensorBoard summaries need protobuf messages.
    'google-protobuf': {},
    './proto/api_pb': {},
  });
  const { NodeJSKernelBackend } = require('dist/nodejs_kernel_backend.js') as {
    NodeJSKernelBackend: new (binding: NativeBinding, packageName: string) => KernelBackend & NodeBackend;
  };
  require('dist/register_all_kernels.js');
  return () => new NodeJSKernelBackend(binding, name);
}
