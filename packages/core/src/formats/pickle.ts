import { BulwarkError } from '../errors.js';
import { createBudget, type Budget } from '../files/index.js';
import { PickleMachine } from './pickle-machine.js';
import type { PickleGlobal } from './pickle-objects.js';
import { pickleOperations } from './pickle-operations.js';
import { PickleReader } from './pickle-reader.js';

/**
 * A value that a pickle describes, as plain data. Lists, tuples and sets are arrays, dictionaries are Maps, `bytes` is a
 * Uint8Array (a view of the file), integers beyond 2^53 are bigints, text of Python 2 shorter than 256 bytes is a string.
 */
export type PickleValue = unknown;

/** What a pickle may name, and how large it may be. */
export interface PickleOptions {
  /** Names that make something, `module name`. Every other name makes a `ForeignObject`. */
  readonly globals?: ReadonlyMap<string, PickleGlobal>;
  /** Resolves a persistent id (PyTorch's storages). */
  readonly persistent?: (id: PickleValue) => PickleValue;
  /** For messages. */
  readonly where?: string;
  /** What reading may cost; default: what a file of this size may take. */
  readonly budget?: Budget;
}

const noGlobals: ReadonlyMap<string, PickleGlobal> = new Map();

/**
 * Reads a pickle as data. Nothing in it is ever executed: a name outside the tables (`os.system`, a class of the writer's own) makes an inert
 * `ForeignObject`, and a name in the tables only rearranges what the file holds. Memory is bounded by the size of the file.
 * @throws BulwarkError WEIGHTS_INVALID
 */
export const readPickle = (bytes: Uint8Array, options: PickleOptions = {}): PickleValue =>
  readPickleAt(bytes, 0, options).value;

/** The same from a position on; `end` is the position behind the pickle, where the next one may begin. */
export function readPickleAt(
  bytes: Uint8Array,
  start: number,
  options: PickleOptions = {},
): { value: PickleValue; end: number } {
  const where = options.where ?? 'the pickle';
  try {
    const reader = new PickleReader(bytes);
    reader.position = start;
    const budget = options.budget ?? createBudget({ bytes: bytes.length, refuse: (why) => tooLarge(where, why) });
    return { value: unpickle(reader, options, budget), end: reader.position };
  } catch (error) {
    if (error instanceof BulwarkError) throw error;
    throw new BulwarkError('WEIGHTS_INVALID', `${where} cannot be read: ${(error as Error).message}`, {
      hint: 'get the file again, or save only tensors, numbers, text, lists and dictionaries',
      cause: error,
    });
  }
}

const tooLarge = (where: string, why: string) =>
  new BulwarkError('WEIGHTS_INVALID', `${where} is refused: ${why}`, {
    hint: 'get the file from a source that you trust',
  });

/** Memory of an operation and what it leaves on the stack. */
const operationBytes = 16;
const stop = '.'.charCodeAt(0);

function unpickle(
  reader: PickleReader,
  { globals = noGlobals, persistent }: PickleOptions,
  budget: Budget,
): PickleValue {
  const machine = new PickleMachine(reader, { globals, persistent }, budget);
  for (;;) {
    budget.allocate(operationBytes, 'its operations');
    const code = reader.byte();
    if (code === stop) return machine.pop();
    const operation = pickleOperations[code];
    if (!operation)
      throw new Error(
        `operation 0x${code.toString(16)} at byte ${reader.position - 1}, which plain data does not need`,
      );
    operation(machine);
  }
}
