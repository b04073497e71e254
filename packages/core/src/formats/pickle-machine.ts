import type { Budget } from '../files/index.js';
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
import type { PickleReader } from './pickle-reader.js';

const mark = Symbol('mark');
const isArray = (value: unknown): value is unknown[] => Array.isArray(value);
const isMap = (value: unknown): value is Map<unknown, unknown> => value instanceof Map;

/** What a machine's names and persistent ids mean. */
export interface PickleMeanings {
  readonly globals: ReadonlyMap<string, PickleGlobal>;
  readonly persistent?: (id: unknown) => unknown;
}

/** The stack machine that a pickle is a program of: it rearranges what the file holds, and each thing that it makes is paid for. */
export class PickleMachine {
  private readonly stack: unknown[] = [];
  private readonly memo = new Map<number, unknown>();
  /** What `build` may change: results of a global's call, by identity. */
  private readonly made = new WeakMap<object, GlobalReference>();

  constructor(
    readonly reader: PickleReader,
    private readonly meanings: PickleMeanings,
    private readonly budget: Budget,
  ) {}

  push(value: unknown): void {
    this.stack.push(value);
  }
  pop(): unknown {
    if (this.stack.length === 0 || this.stack.at(-1) === mark)
      throw new Error('the stack is empty where a value is needed');
    return this.stack.pop();
  }
  /** Drops what is on top, a mark too. */
  drop(): void {
    if (this.stack.pop() === undefined && this.stack.length === 0) throw new Error('the stack is empty');
  }
  repeat(): void {
    this.stack.push(this.stack.at(-1));
  }
  mark(): void {
    this.stack.push(mark);
  }
  popToMark(): unknown[] {
    const at = this.stack.lastIndexOf(mark);
    if (at < 0) throw new Error('no mark on the stack');
    return this.stack.splice(at).slice(1);
  }

  append(items: readonly unknown[]): void {
    const value = this.stack.at(-1);
    const list = value instanceof ForeignObject ? value.items : this.top(isArray, 'list');
    for (const item of items) list.push(item);
  }
  list(items: unknown[]): void {
    this.budget.allocate(objectBytes.list + 8 * items.length, 'its lists');
    this.push(items);
  }
  tuple(length: number): void {
    this.list(Array.from({ length }, () => this.pop()).reverse());
  }
  /** @param flat keys and values in turn */
  dictionary(flat: readonly unknown[]): void {
    this.budget.allocate(objectBytes.dictionary, 'its dictionaries');
    this.push(this.set(flat, new Map()));
  }
  /** Adds to the dictionary on top, also one of a class of the writer's own. */
  setItems(flat: readonly unknown[]): void {
    const value = this.stack.at(-1);
    this.set(flat, value instanceof ForeignObject ? value.entries : this.top(isMap, 'dictionary'));
  }

  find(module: unknown, name: unknown): GlobalReference {
    this.budget.allocate(objectBytes.name, 'its names');
    if (typeof module !== 'string' || typeof name !== 'string') throw new Error('a name that is not text');
    const path = `${module} ${name}`;
    return new GlobalReference(path, this.meanings.globals.get(path) ?? containers.get(path) ?? foreignGlobal(path));
  }
  call(callee: unknown, args: unknown): void {
    if (!isArray(args)) throw new Error('arguments that are not a tuple');
    const value = callValue(callee, args, this.budget);
    if (typeof value === 'object' && value !== null && callee instanceof GlobalReference) this.made.set(value, callee);
    this.push(value);
  }
  /** A call with named arguments, which come last. */
  callNamed(callee: unknown, args: unknown, named: unknown): void {
    if (isArray(args)) this.budget.allocate(8 * args.length, 'its arguments');
    this.call(callee, isArray(args) ? [...args, named] : args);
  }
  build(): void {
    const state = this.pop();
    const value = this.pop();
    if (value instanceof ForeignObject) {
      value.state = state;
      this.push(value);
      return;
    }
    const maker = typeof value === 'object' && value !== null ? this.made.get(value) : undefined;
    if (!maker?.global.build) throw new Error('an object with a state that is not a plain container');
    this.push(inertOnError(maker.name, () => maker.global.build!(value, state, this.budget)));
  }

  /** @param key default: the next number that is free */
  put(key = this.memo.size): void {
    if (this.stack.length === 0) throw new Error('nothing to remember');
    this.memo.set(key, this.stack.at(-1));
  }
  get(key: number): void {
    if (!this.memo.has(key)) throw new Error(`reference ${key} to nothing`);
    this.push(this.memo.get(key));
  }
  persist(id: unknown): void {
    if (!this.meanings.persistent) throw new Error('an external reference');
    this.push(this.meanings.persistent(id));
  }

  private top<T>(check: (value: unknown) => value is T, what: string): T {
    const value = this.stack.at(-1);
    if (!check(value)) throw new Error(`a ${what} is needed`);
    return value;
  }
  private set(flat: readonly unknown[], map: Map<unknown, unknown>): Map<unknown, unknown> {
    this.budget.allocate((flat.length * objectBytes.entry) / 2, 'its dictionaries');
    if (flat.length % 2 !== 0) throw new Error('a key without a value');
    for (let i = 0; i < flat.length; i += 2) map.set(flat[i], flat[i + 1]);
    return map;
  }
}
