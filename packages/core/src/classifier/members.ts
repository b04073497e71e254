import type { Pass } from '../network/index.js';
import type { Classifier } from './classifier.js';

/** What the contracts name: a proxy need not list it. */
const ofClassifier = [
  ...['name', 'architecture', 'inputShape', 'classes', 'parameters', 'statistics', 'pass', 'dtypes', 'acrossRanks'],
  ...['opByOpBecause', 'taped', 'applyStatistics', 'preprocessed', 'surrounded', 'dispose'],
];
const ofPass = ['logits', 'statistics', 'features', 'pullback', 'dispose'];

/** All names that an object answers to, those of its class among them. */
function namesOf(object: object, known: readonly string[]): Set<string> {
  const names = new Set(known.filter((name) => (object as Record<string, unknown>)[name] !== undefined));
  for (let from: object = object; from && from !== Object.prototype; from = Object.getPrototypeOf(from) as object)
    for (const name of Object.getOwnPropertyNames(from)) names.add(name);
  names.delete('constructor');
  return names;
}

/** Reads through to an object, whose methods keep their own `this`, but for what stands in `members`. */
function reading<T extends object>(object: T, members: Partial<T>, known: readonly string[]): T {
  const source = object as Record<string, unknown>;
  const found = {};
  for (const name of namesOf(object, known))
    Object.defineProperty(found, name, {
      enumerable: true,
      configurable: true,
      get() {
        const value = source[name];
        return typeof value === 'function' ? (value.bind(object) as unknown) : value;
      },
    });
  for (const [name, value] of Object.entries(members))
    Object.defineProperty(found, name, { enumerable: true, configurable: true, writable: true, value });
  return found as T;
}

/**
 * The same classifier but for some members. Unlike a spread it takes along what stands in a class or behind a proxy.
 * @example
 * ```ts
 * import { classifierWith } from '@bulwark/core/classifier';
 * const graph = networkGraph([2, 2, 1], (g) => g.linear('fc', g.flatten(g.input), { units: 3 }));
 * const model = createNetwork(graph, { name: 'linear', random: createRandom(1) });
 * const asked: string[] = [];
 * const watched = classifierWith(model, {
 *   pass: (images, request) => (asked.push(request.wrt), model.pass(images, request)),
 * });
 * inputGradient(watched, tf.ones([1, 2, 2, 1]), { loss: (logits) => tf.sum(logits, 1) });
 * asked; // => ["images"]
 * ```
 * @category Networks and passes
 */
export const classifierWith = (model: Classifier, members: Partial<Classifier>): Classifier =>
  reading(model, members, ofClassifier);

/** The same pass but for some members, whatever it was made of. */
export const passWith = (pass: Pass, members: Partial<Pass>): Pass => reading(pass, members, ofPass);
