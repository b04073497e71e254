import type { Budget } from '../files/index.js';

/**
 * What a pickle may do with a name: calling it gives a value, and `BUILD` sets the state of the result. Both only make data, and ask the budget
 * before they copy any: a pickle can call a name thousands of times on one large value.
 */
export interface PickleGlobal {
  /** What calling the name gives. */
  readonly call?: (args: readonly unknown[], budget: Budget) => unknown;
  /** Sets the state of the result. */
  readonly build?: (value: unknown, state: unknown, budget: Budget) => unknown;
}

/** Memory of the objects that a pickle makes of a byte or two, roughly. */
export const objectBytes = { list: 64, dictionary: 256, name: 256, foreign: 512, entry: 64 } as const;

/** A name on the stack: it can be called if it is in a table, and is nothing else. */
export class GlobalReference {
  constructor(
    /** `module name`. */
    readonly name: string,
    readonly global: PickleGlobal,
  ) {}
}

/**
 * An object that nothing here knows how to make: of a class of the writer's own, say. It keeps what the pickle says of it as data and is
 * otherwise inert: no code of its class is looked for, let alone run.
 */
export class ForeignObject {
  /** Attributes, or whatever state the pickle gave it. */
  state: unknown;
  /** Items, if it is a kind of dictionary. */
  readonly entries = new Map<unknown, unknown>();
  /** Items, if it is a kind of list or set. */
  readonly items: unknown[] = [];

  constructor(
    /** `module.Class`. */
    readonly className: string,
    /** What it was made of. */
    readonly args: readonly unknown[] = [],
    /** Why it could not be made, where its class is known. */
    readonly reason?: string,
  ) {}

  /** For messages: what it is, or why it is not what its class says. */
  toString(): string {
    return this.reason ?? `an object of class ${this.className}`;
  }
}

/** The class that a value on the stack names. */
const classOf = (value: unknown): string => {
  if (value instanceof GlobalReference) return value.name.replace(' ', '.');
  return value instanceof ForeignObject ? value.className : 'nameless';
};

/** A name outside the tables: calling it gives an inert object. */
export function foreignGlobal(path: string): PickleGlobal {
  const className = path.replace(' ', '.');
  return { call: (args) => new ForeignObject(className, args) };
}

function pairsOf(items: unknown, budget: Budget): Map<unknown, unknown> {
  const size = items instanceof Map ? items.size : Array.isArray(items) ? items.length : 0;
  budget.allocate(objectBytes.dictionary + size * objectBytes.entry, 'its dictionaries');
  if (items instanceof Map) return new Map(items);
  const pairs = (items ?? []) as unknown[];
  if (!Array.isArray(pairs) || !pairs.every((pair) => Array.isArray(pair) && pair.length === 2))
    throw new Error('a dictionary is made of pairs');
  return new Map(pairs as [unknown, unknown][]);
}

const keepsItself = (value: unknown) => value;
const set: PickleGlobal = { call: ([items]) => items ?? [] };
/** Objects of protocols 0 and 1: `(class, base, state of the base)`. */
const reconstructor: PickleGlobal = { call: ([type]) => new ForeignObject(classOf(type)) };

/** The table of names that are plain containers. */
export const containers: ReadonlyMap<string, PickleGlobal> = new Map<string, PickleGlobal>([
  ['collections OrderedDict', { call: ([items], budget) => pairsOf(items, budget), build: keepsItself }],
  ['collections Counter', { call: ([items], budget) => pairsOf(items, budget) }],
  ['collections defaultdict', { call: ([, items], budget) => pairsOf(items, budget), build: keepsItself }],
  ['builtins set', set],
  ['builtins frozenset', set],
  ['__builtin__ set', set],
  ['__builtin__ frozenset', set],
  ['copyreg _reconstructor', reconstructor],
  ['copy_reg _reconstructor', reconstructor],
]);

/** Calls a value as `REDUCE` does: a name by its table, anything else to something inert. */
export function callValue(callee: unknown, args: readonly unknown[], budget: Budget): unknown {
  budget.allocate(objectBytes.foreign, 'its objects');
  if (callee instanceof ForeignObject) return new ForeignObject(callee.className, args);
  if (!(callee instanceof GlobalReference)) throw new Error('a value that is not a name cannot be called');
  if (!callee.global.call) throw new Error(`${callee.name} cannot be called`);
  return inertOnError(callee.name, () => callee.global.call!(args, budget));
}

/** What a known name cannot make of an unusual form is inert, too: it must not spoil what else the file holds. */
export function inertOnError(name: string, make: () => unknown): unknown {
  try {
    return make();
  } catch (error) {
    if ((error as Error).name === 'BulwarkError') throw error;
    return new ForeignObject(name.replace(' ', '.'), [], (error as Error).message);
  }
}
