import { BulwarkError } from '../errors.js';
import { PickleReader } from './pickle-reader.js';

/**
 * A value that a pickle describes, as plain data. Lists, tuples and sets are arrays, dictionaries are Maps, `bytes` is a
 * Uint8Array (a view of the file), integers beyond 2^53 are bigints, text of Python 2 shorter than 256 bytes is a string.
 */
export type PickleValue = unknown;

/** A name that a pickle may use: what calling it gives, and how `BUILD` sets the state of the result. Both only make data. */
export interface PickleGlobal {
  /** What calling the name gives. */
  readonly call?: (args: readonly PickleValue[]) => PickleValue;
  /** Sets the state of the result. */
  readonly build?: (value: PickleValue, state: PickleValue) => PickleValue;
}

/** What a pickle may name, and how large it may be. */
export interface PickleOptions {
  /** Allowed names, `module name`. Every other name is refused. */
  readonly globals?: ReadonlyMap<string, PickleGlobal>;
  /** Resolves a persistent id (PyTorch's storages). */
  readonly persistent?: (id: PickleValue) => PickleValue;
  /** For messages. */
  readonly where?: string;
}

/** A name on the stack: it can be called if the table has it, and is nothing else. */
export class GlobalReference {
  constructor(
    readonly name: string,
    readonly global: PickleGlobal,
  ) {}
}

const mark = Symbol('mark');
const noGlobals: ReadonlyMap<string, PickleGlobal> = new Map();

/** The table of names that are plain containers. */
const containers: ReadonlyMap<string, PickleGlobal> = new Map<string, PickleGlobal>([
  ['collections OrderedDict', { call: ([items]) => mapOf(items), build: (value) => value }],
  ['builtins set', { call: ([items]) => items ?? [] }],
  ['__builtin__ set', { call: ([items]) => items ?? [] }],
]);

function mapOf(items: PickleValue): Map<unknown, unknown> {
  const pairs = (items ?? []) as unknown[];
  if (!Array.isArray(pairs) || !pairs.every((pair) => Array.isArray(pair) && pair.length === 2))
    throw new Error('an OrderedDict is made of pairs');
  return new Map(pairs as [unknown, unknown][]);
}

/**
 * Reads a pickle as data. Nothing in it is ever executed: a name outside the tables (`os.system`, a class of the writer's own) is
 * refused, and a name in the tables only rearranges what the file holds. Memory is bounded by the size of the file.
 * @throws BulwarkError WEIGHTS_INVALID
 */
export function readPickle(bytes: Uint8Array, options: PickleOptions = {}): PickleValue {
  const where = options.where ?? 'the pickle';
  try {
    return unpickle(new PickleReader(bytes), options);
  } catch (error) {
    if (error instanceof BulwarkError) throw error;
    throw new BulwarkError('WEIGHTS_INVALID', `${where} cannot be read: ${(error as Error).message}`, {
      cure: 'get the file again, or save only tensors, numbers, text, lists and dictionaries',
      cause: error,
    });
  }
}

function unpickle(
  reader: PickleReader,
  { globals = noGlobals, persistent, where = 'the pickle' }: PickleOptions,
): PickleValue {
  const stack: unknown[] = [];
  const memo = new Map<number, unknown>();
  /** What `BUILD` may change: results of a global's call, by identity. */
  const made = new WeakMap<object, PickleGlobal>();

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
    const list = top(isArray, 'list');
    for (const item of items) list.push(item);
  };
  const setItems = (flat: readonly unknown[], map: Map<unknown, unknown>) => {
    if (flat.length % 2 !== 0) throw new Error('a key without a value');
    for (let i = 0; i < flat.length; i += 2) map.set(flat[i], flat[i + 1]);
    return map;
  };
  const find = (module: unknown, name: unknown) => {
    const path = `${String(module)} ${String(name)}`;
    const global = globals.get(path) ?? containers.get(path);
    if (!global)
      throw new BulwarkError(
        'WEIGHTS_INVALID',
        `${where} refers to ${String(module)}.${String(name)}, which is neither a tensor nor a plain container; nothing was executed`,
        { cure: 'save a dictionary of tensors, numbers and text only, e.g. torch.save(model.state_dict(), path)' },
      );
    stack.push(new GlobalReference(path, global));
  };
  const reduce = () => {
    const args = pop();
    const callee = pop();
    if (!(callee instanceof GlobalReference) || !callee.global.call || !isArray(args))
      throw new Error(`${callee instanceof GlobalReference ? callee.name : 'a value'} cannot be called`);
    const value = callee.global.call(args);
    if (typeof value === 'object' && value !== null) made.set(value, callee.global);
    stack.push(value);
  };
  const build = () => {
    const state = pop();
    const value = pop();
    const global = typeof value === 'object' && value !== null ? made.get(value) : undefined;
    if (!global?.build) throw new Error('an object with a state that is not a plain container');
    stack.push(global.build(value, state));
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
  const tuple = (length: number) => stack.push(Array.from({ length }, pop).reverse());

  for (;;) {
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
        stack.push([]);
        break;
      case 't':
      case 'l':
      case '\x91': // FROZENSET
        stack.push(popToMark());
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
        stack.push(new Map());
        break;
      case 'd':
        stack.push(setItems(popToMark(), new Map()));
        break;
      case 's': {
        const value = pop();
        const key = pop();
        setItems([key, value], top(isMap, 'dictionary'));
        break;
      }
      case 'u':
        setItems(popToMark(), top(isMap, 'dictionary'));
        break;
      case 'c':
        find(reader.line(), reader.line());
        break;
      case '\x93': {
        const name = pop();
        find(pop(), name);
        break;
      }
      case 'R':
        reduce();
        break;
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
