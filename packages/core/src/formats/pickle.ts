import { BulwarkError } from '../errors.js';
import { createBudget, type Budget } from '../files/index.js';
import {
  callValue,
  containers,
  ForeignObject,
  foreignGlobal,
  GlobalReference,
  inertOnError,
  objectBytes,
  type PickleGlobal,
} from './pickle-objects.js';
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

const mark = Symbol('mark');
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

function unpickle(
  reader: PickleReader,
  { globals = noGlobals, persistent }: PickleOptions,
  budget: Budget,
): PickleValue {
  const stack: unknown[] = [];
  const memo = new Map<number, unknown>();
  /** What `BUILD` may change: results of a global's call, by identity. */
  const made = new WeakMap<object, GlobalReference>();

  const pop = (): unknown => {
    if (stack.length === 0 || stack.at(-1) === mark) throw new Error('the stack is empty where a value is needed');
    return stack.pop();
  };
  const top = <T>(check: (value: unknown) => value is T, what: string): T => {
    const value = stack.at(-1);
    if (!check(value)) throw new Error(`a ${what} is needed`);
    return value;
  };
  const popToMark = (): unknown[] => {
    const at = stack.lastIndexOf(mark);
    if (at < 0) throw new Error('no mark on the stack');
    return stack.splice(at).slice(1);
  };
  const isArray = (value: unknown): value is unknown[] => Array.isArray(value);
  const isMap = (value: unknown): value is Map<unknown, unknown> => value instanceof Map;
  const append = (items: readonly unknown[]) => {
    const value = stack.at(-1);
    const list = value instanceof ForeignObject ? value.items : top(isArray, 'list');
    for (const item of items) list.push(item);
  };
  /** The dictionary on top of the stack, also one of a class of the writer's own. */
  const dictionary = (): Map<unknown, unknown> => {
    const value = stack.at(-1);
    return value instanceof ForeignObject ? value.entries : top(isMap, 'dictionary');
  };
  const setItems = (flat: readonly unknown[], map: Map<unknown, unknown>) => {
    budget.allocate((flat.length * objectBytes.entry) / 2, 'its dictionaries');
    if (flat.length % 2 !== 0) throw new Error('a key without a value');
    for (let i = 0; i < flat.length; i += 2) map.set(flat[i], flat[i + 1]);
    return map;
  };
  const list = (items: unknown[]) => {
    budget.allocate(objectBytes.list + 8 * items.length, 'its lists');
    stack.push(items);
  };
  const map = (flat: readonly unknown[]) => {
    budget.allocate(objectBytes.dictionary, 'its dictionaries');
    stack.push(setItems(flat, new Map()));
  };
  const find = (module: unknown, name: unknown): GlobalReference => {
    budget.allocate(objectBytes.name, 'its names');
    if (typeof module !== 'string' || typeof name !== 'string') throw new Error('a name that is not text');
    const path = `${module} ${name}`;
    return new GlobalReference(path, globals.get(path) ?? containers.get(path) ?? foreignGlobal(path));
  };
  const call = (callee: unknown, args: unknown) => {
    if (!isArray(args)) throw new Error('arguments that are not a tuple');
    const value = callValue(callee, args, budget);
    if (typeof value === 'object' && value !== null && callee instanceof GlobalReference) made.set(value, callee);
    stack.push(value);
  };
  const build = () => {
    const state = pop();
    const value = pop();
    if (value instanceof ForeignObject) {
      value.state = state;
      stack.push(value);
      return;
    }
    const maker = typeof value === 'object' && value !== null ? made.get(value) : undefined;
    if (!maker?.global.build) throw new Error('an object with a state that is not a plain container');
    stack.push(inertOnError(maker.name, () => maker.global.build!(value, state, budget)));
  };
  const put = (key: number) => {
    if (stack.length === 0) throw new Error('nothing to remember');
    memo.set(key, stack.at(-1));
  };
  const get = (key: number) => {
    if (!memo.has(key)) throw new Error(`reference ${key} to nothing`);
    stack.push(memo.get(key));
  };
  const persist = (id: unknown) => {
    if (!persistent) throw new Error('an external reference');
    stack.push(persistent(id));
  };
  const joined = (args: readonly unknown[], named: unknown) => {
    budget.allocate(8 * args.length, 'its arguments');
    return [...args, named];
  };
  const tuple = (length: number) => list(Array.from({ length }, pop).reverse());

  for (;;) {
    budget.allocate(operationBytes, 'its operations');
    const opcode = reader.byte();
    switch (String.fromCharCode(opcode)) {
      case '\x80': // PROTO
        if (reader.byte() > 5) throw new Error('a pickle protocol above 5');
        break;
      case '\x95': // FRAME
        reader.skip(8);
        break;
      case '.':
        return pop();
      case '(':
        stack.push(mark);
        break;
      case '0':
        if (stack.pop() === undefined && stack.length === 0) throw new Error('the stack is empty');
        break;
      case '1':
        popToMark();
        break;
      case '2':
        stack.push(stack.at(-1));
        break;
      case 'N':
        stack.push(null);
        break;
      case '\x88':
        stack.push(true);
        break;
      case '\x89':
        stack.push(false);
        break;
      case 'I': {
        const line = reader.line();
        stack.push(line === '00' || line === '01' ? line === '01' : reader.integer(line));
        break;
      }
      case 'L':
        stack.push(reader.integer(reader.line().replace(/L$/, '')));
        break;
      case 'J':
        stack.push(reader.int32());
        break;
      case 'K':
        stack.push(reader.byte());
        break;
      case 'M':
        stack.push(reader.uint(2));
        break;
      case '\x8a':
        stack.push(reader.long(reader.byte()));
        break;
      case '\x8b':
        stack.push(reader.long(reader.uint(4)));
        break;
      case 'F':
        stack.push(reader.decimal(reader.line()));
        break;
      case 'G':
        stack.push(reader.double());
        break;
      case 'V':
        stack.push(reader.escapedUnicode());
        break;
      case 'X':
        stack.push(reader.text(reader.uint(4)));
        break;
      case '\x8c':
        stack.push(reader.text(reader.byte()));
        break;
      case '\x8d':
        stack.push(reader.text(reader.uint(8)));
        break;
      case 'S':
        stack.push(reader.quoted());
        break;
      case 'U':
        stack.push(reader.latin1(reader.byte()));
        break;
      case 'T':
        stack.push(reader.bytes(reader.uint(4)));
        break;
      case 'C':
        stack.push(reader.bytes(reader.byte()));
        break;
      case 'B':
        stack.push(reader.bytes(reader.uint(4)));
        break;
      case '\x8e': // BINBYTES8
      case '\x96': // BYTEARRAY8
        stack.push(reader.bytes(reader.uint(8)));
        break;
      case ')':
      case ']':
      case '\x8f': // EMPTY_SET
        list([]);
        break;
      case 't':
      case 'l':
      case '\x91': // FROZENSET
        list(popToMark());
        break;
      case '\x85':
        tuple(1);
        break;
      case '\x86':
        tuple(2);
        break;
      case '\x87':
        tuple(3);
        break;
      case 'a':
        append([pop()]);
        break;
      case 'e':
      case '\x90': // ADDITEMS
        append(popToMark());
        break;
      case '}':
        map([]);
        break;
      case 'd':
        map(popToMark());
        break;
      case 's': {
        const value = pop();
        const key = pop();
        setItems([key, value], dictionary());
        break;
      }
      case 'u':
        setItems(popToMark(), dictionary());
        break;
      case 'c':
        stack.push(find(reader.line(), reader.line()));
        break;
      case '\x93': {
        const name = pop();
        stack.push(find(pop(), name));
        break;
      }
      case 'R':
      case '\x81': {
        const args = pop();
        call(pop(), args);
        break;
      }
      case '\x92': {
        const named = pop();
        const args = pop();
        call(pop(), isArray(args) ? joined(args, named) : args);
        break;
      }
      case 'o': {
        const [callee, ...args] = popToMark();
        call(callee, args);
        break;
      }
      case 'i': {
        const callee = find(reader.line(), reader.line());
        call(callee, popToMark());
        break;
      }
      case 'b':
        build();
        break;
      case 'P':
        persist(reader.line());
        break;
      case 'Q':
        persist(pop());
        break;
      case 'p':
        put(Number(reader.line()));
        break;
      case 'q':
        put(reader.byte());
        break;
      case 'r':
        put(reader.uint(4));
        break;
      case '\x94':
        put(memo.size);
        break;
      case 'g':
        get(Number(reader.line()));
        break;
      case 'h':
        get(reader.byte());
        break;
      case 'j':
        get(reader.uint(4));
        break;
      default:
        throw new Error(
          `operation 0x${opcode.toString(16)} at byte ${reader.position - 1}, which plain data does not need`,
        );
    }
  }
}
