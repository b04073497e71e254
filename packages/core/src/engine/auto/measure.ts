import * as tf from '../../tensor/index.js';
import { eagerExecutor, initialVariables, networkGraph, storeOf, type Executor } from '../../network/index.js';
import { createRandom } from '../../random.js';
import type { EngineSession } from '../engine.js';
import { executorOf } from '../executor-of.js';
import { reasonOf } from '../unavailable.js';

/** A small residual network: layers of the kinds and sizes that robust models are made of. */
const graphOf = (side: number, channels: number) =>
  networkGraph([side, side, 3], (g) => {
    const [narrow, wide] = [
      { filters: channels, kernel: 3 },
      { filters: 2 * channels, kernel: 3 },
    ];
    const stem = g.relu(g.batchNorm('n0', g.conv('c0', g.input, narrow)));
    const inner = g.relu(g.batchNorm('n1', g.conv('c1', stem, narrow)));
    const joined = g.relu(g.add(g.batchNorm('n2', g.conv('c2', inner, narrow)), stem));
    const small = g.relu(g.batchNorm('n3', g.conv('c3', joined, { ...wide, stride: 2 })));
    const last = g.relu(g.add(g.batchNorm('n4', g.conv('c4', small, wide)), small));
    return g.linear('fc', g.globalAveragePool(last), { units: 10 });
  });

/** Work of growing size. The first is for engines so slow that the next would take minutes. */
const sizes = [
  { side: 8, channels: 32, images: 1 },
  { side: 32, channels: 64, images: 4 },
  { side: 32, channels: 64, images: 16 },
] as const;

/** An engine whose time is taken. */
export interface Runner {
  readonly name: string;
  readonly session: EngineSession;
}

interface Timed {
  readonly runner: Runner;
  readonly milliseconds: number;
  /** Why its passes could not be timed. */
  readonly failure?: string;
}

/** An engine's place in a race. */
export interface Place {
  readonly name: string;
  /** Of an attack step's passes, forward and back to the images; absent for an engine that fell behind before. */
  readonly milliseconds?: number;
  /** Why it could not compute. */
  readonly failure?: string;
}

interface Prepared {
  readonly runner: Runner;
  readonly executor: Executor;
  readonly images: tf.Tensor4D;
  readonly variables: readonly tf.Variable[];
  milliseconds: number;
  failure?: string;
}

async function timePassOf({ runner, executor, images }: Prepared): Promise<number> {
  if (tf.getBackend() !== runner.session.backend) await tf.setBackend(runner.session.backend);
  const began = performance.now();
  const sum = tf.tidy(() => {
    const pass = executor.pass([images], { mode: 'eval', wrt: 'images' });
    const { images: gradients } = pass.pullback([tf.onesLike(pass.logits[0]!)]);
    return tf.sum(gradients[0]!);
  });
  await sum.data(); // a queued computation is done when its number is there
  sum.dispose();
  return performance.now() - began;
}

/** The time of a pass; an engine that fails is out of the race, and no reason for others to be. */
async function timePass(one: Prepared): Promise<number> {
  if (one.failure !== undefined) return Infinity;
  try {
    return await timePassOf(one);
  } catch (error) {
    one.failure = reasonOf(error);
    return Infinity;
  }
}

async function prepare(runner: Runner, { side, channels, images }: (typeof sizes)[number]): Promise<Prepared> {
  await tf.setBackend(runner.session.backend);
  const { session } = runner;
  const graph = graphOf(side, channels);
  const variables = initialVariables(graph, createRandom(1, 'auto'));
  const store = storeOf(variables);
  const eager = eagerExecutor({
    graph,
    store,
    hostMemory: () => session.hostMemory,
    updatesInPlace: () => session.updates !== undefined,
  });
  return {
    runner,
    executor: executorOf(session, { graph, store, eager }).executor,
    images: createRandom(2, 'auto').uniform<tf.Rank.R4>([images, side, side, 3]),
    variables: [...variables.parameters.values(), ...variables.statistics.values()],
    milliseconds: Infinity,
  };
}

/** Times of one size of work, each the best of several; engines take turns, so that whatever else the machine does hits all. */
async function timeOnce(runners: readonly Runner[], size: (typeof sizes)[number], budget: number): Promise<Timed[]> {
  const prepared: Prepared[] = [];
  try {
    for (const runner of runners) prepared.push(await prepare(runner, size));
    for (const one of prepared) await timePass(one); // compiles, transforms weights, starts threads
    const end = performance.now() + budget;
    do for (const one of prepared) one.milliseconds = Math.min(one.milliseconds, await timePass(one));
    while (performance.now() < end);
    return prepared.map(({ runner, milliseconds, failure }) => ({ runner, milliseconds, failure }));
  } finally {
    for (const { runner, executor, images, variables } of prepared) {
      await tf.setBackend(runner.session.backend);
      executor.dispose();
      tf.dispose([images, ...variables]);
    }
  }
}

const isBehind = ({ milliseconds }: Timed, best: number) => milliseconds > 4 * best && milliseconds > 50;

/**
 * Times engines that were started, in about a second where they are fast: passes of growing size, without those that are far behind.
 * @returns all of them, the fastest first
 */
export async function timeEngines(runners: readonly Runner[]): Promise<Place[]> {
  let inTheRace = runners;
  const out: Place[] = [];
  for (const size of sizes) {
    const all = await timeOnce(inTheRace, size, size === sizes.at(-1) ? 1000 : 200);
    for (const { runner, failure } of all) if (failure !== undefined) out.push({ name: runner.name, failure });
    const timed = all.filter(({ failure }) => failure === undefined).sort((a, b) => a.milliseconds - b.milliseconds);
    if (timed.length === 0) return out;
    const best = timed[0]!.milliseconds;
    const [stays, falls] = [timed.filter((one) => !isBehind(one, best)), timed.filter((one) => isBehind(one, best))];
    out.unshift(...falls.map(({ runner: { name } }) => ({ name })));
    if (stays.length === 1 || best > 200 || size === sizes.at(-1))
      return [...stays.map(({ runner: { name }, milliseconds }) => ({ name, milliseconds })), ...out];
    inTheRace = stays.map(({ runner }) => runner);
  }
  return out;
}
