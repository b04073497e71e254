import * as tf from '../tensor/index.js';
import { useEngine } from '../engine/index.js';

/** One named promise of a plugin and the check that it is kept: resolves, or throws a `ContractBroken`. */
export interface Contract {
  /** A sentence: what the plugin does. */
  readonly name: string;
  /** Checks the promise. */
  run(): Promise<void>;
}

/** A plugin does not keep its contract; the message says where and by how much. */
export class ContractBroken extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'ContractBroken';
  }
}

/** Throws `ContractBroken` unless `kept`. */
export function promise(kept: boolean, broken: () => string): void {
  if (!kept) throw new ContractBroken(broken());
}

/** Makes the checks of one plugin, which all run on the same engine. */
export function contracts(engine: string, checks: Readonly<Record<string, () => void | Promise<void>>>): Contract[] {
  return Object.entries(checks).map(([name, check]) => ({
    name,
    async run() {
      if (tf.getBackend() !== engine) await useEngine(engine);
      await check();
    },
  }));
}

/** Numbers of a tensor, which stays alive. */
export const numbers = (tensor: tf.Tensor): number[] => [...tensor.dataSync()];

/** Runs `work` and disposes everything that it made. */
export function scratch<T>(work: () => T): T {
  tf.engine().startScope();
  try {
    return work();
  } finally {
    tf.engine().endScope();
  }
}

/** Shape, type and finite values of one tensor. */
export function promiseTensor(
  tensor: tf.Tensor,
  expected: { what: string; shape: readonly number[]; dtype?: tf.DataType },
): void {
  const { what, shape, dtype = 'float32' } = expected;
  promise(
    tensor.shape.join() === shape.join() && tensor.dtype === dtype,
    () => `${what} is ${tensor.dtype} [${tensor.shape}]; expected ${dtype} [${shape}]`,
  );
  const bad = numbers(tensor).find((value) => !Number.isFinite(value));
  promise(bad === undefined, () => `${what} holds ${bad}`);
}

const sameBytes = (a: Uint8Array, b: Uint8Array): boolean =>
  Buffer.compare(Buffer.from(a.buffer, a.byteOffset, a.length), Buffer.from(b.buffer, b.byteOffset, b.length)) === 0;

/** The same bits, entry by entry. */
export function promiseEqual(found: ArrayLike<number>, expected: ArrayLike<number>, what: string): void {
  promise(found.length === expected.length, () => `${what}: ${found.length} numbers instead of ${expected.length}`);
  if (found instanceof Uint8Array && expected instanceof Uint8Array && sameBytes(found, expected)) return;
  for (let i = 0; i < expected.length; i++)
    promise(
      Object.is(found[i], expected[i]) || found[i] === expected[i],
      () => `${what}: ${found[i]} instead of ${expected[i]}`,
    );
}

/** No more and no fewer live tensors after `work` than before it; the first call, which may fill caches, is not counted. */
export async function promiseNoLeak(what: string, work: () => void | Promise<void>): Promise<void> {
  await work();
  const before = tf.memory().numTensors;
  await work();
  const more = tf.memory().numTensors - before;
  promise(
    more === 0,
    () => `${what} leaves ${more} more tensors alive than before it; dispose them, or work inside tf.tidy`,
  );
}
