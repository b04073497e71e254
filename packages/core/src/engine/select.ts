import * as tf from '../tensor/index.js';
import { BulwarkError } from '../errors.js';
import { firstWrong } from '../files/wrong-value.js';
import { knownOrder, measureOrder, type Candidate, type Place } from './auto/index.js';
import { coreEngines } from './core-engines.js';
import { registerSession } from './current.js';
import type { Engine, EngineRequest, EngineSession, Refusal } from './engine.js';
import { requireRightNumbers } from './numerics/index.js';
import { probeOf, sessionOf } from './promised.js';
import { byRank } from './rank.js';
import { refusalOf, unavailable } from './unavailable.js';

/** The engine in use and why it was chosen; plain JSON. */
export interface EngineChoice {
  readonly name: string;
  /** The options that it was started with, defaults filled in. */
  readonly options: Readonly<Record<string, unknown>>;
  /** One line, with the way to a faster engine if there is one. */
  readonly reason: string;
  /** True if it computes the passes of attacks in training in bfloat16: asked for, and possible here. */
  readonly reducedPrecision?: true;
  /** How the engine rounds, where that is not float32 throughout. */
  readonly arithmetic?: string;
  /** False if the same run may give other bits the next time. */
  readonly repeatable?: false;
  /** What works less well than it should. */
  readonly remarks?: readonly string[];
  /** Why engines that `auto` would have preferred are not in use. */
  readonly refusals?: readonly Refusal[];
}

/** Which engines there are, and what to ask of the one that is taken. */
export interface UseEngineOptions {
  /** Default: those that come with core, `wasm` and `cpu`. */
  readonly engines?: readonly Engine[];
  /** Let it compute the passes of attacks in training in bfloat16, if it can; else in float32 all the same. */
  readonly reducedPrecision?: boolean;
}

/** Why an engine was taken, and what came before. */
type Grounds = Pick<EngineChoice, 'reason' | 'refusals'>;

/** Refuses an engine that gave its backend to another copy of TensorFlow.js. @throws BulwarkError ENGINE_UNAVAILABLE */
function requireOurs({ name }: Engine, { backend }: EngineSession): void {
  if (tf.findBackendFactory(backend) || tf.findBackend(backend)) return;
  const reason = `there is no backend ${backend} in TensorFlow.js: does its package have another copy of @tensorflow/tfjs-core?`;
  throw unavailable(
    name,
    [{ candidate: name, reason }],
    'run `npm ls @tensorflow/tfjs-core`, which must show one version',
  );
}

/**
 * Starts an engine, makes it current and, the first time on a machine, compares its numbers with plain JavaScript's.
 * @param given options as in a config
 * @throws BulwarkError ENGINE_UNAVAILABLE, ENGINE_INVALID, ENGINE_NUMERICS, CONFIG_INVALID for options that it does not have
 */
export async function startEngine(
  engine: Engine,
  given: Readonly<Record<string, unknown>> = {},
): Promise<{ session: EngineSession; options: Record<string, unknown> }> {
  const parsed = engine.options.safeParse(given);
  if (!parsed.success)
    throw new BulwarkError('CONFIG_INVALID', `engine ${engine.name}: ${firstWrong(parsed.error, given, engine.name)}`, {
      hint: `options of ${engine.name}: ${Object.keys(engine.options.shape).join(', ') || 'none'}`,
    });
  const session = await sessionOf(engine, parsed.data);
  requireOurs(engine, session);
  if (tf.getBackend() !== session.backend) await tf.setBackend(session.backend);
  await tf.ready();
  registerSession(session);
  return { session, options: parsed.data };
}

/** Starts an engine whose numbers are right, and says what it does with a wish for reduced precision. */
async function take(
  engine: Engine,
  given: Readonly<Record<string, unknown>>,
  reducedPrecision: boolean,
): Promise<{ session: EngineSession; choice(grounds: Grounds): EngineChoice }> {
  const { session, options } = await startEngine(engine, given);
  await requireRightNumbers(engine, session);
  const { name } = engine;
  const facts = {
    ...(session.arithmetic !== undefined && { arithmetic: session.arithmetic }),
    ...(session.repeatable === false && { repeatable: session.repeatable }),
    ...(session.remarks.length > 0 && { remarks: session.remarks }),
  };
  const choice = ({ reason, ...more }: Grounds): EngineChoice => {
    const base = { name, options, reason, ...more, ...facts };
    if (!reducedPrecision) return base;
    if (session.dtypes.includes('bfloat16'))
      return { ...base, reason: `${reason}; attacks in training in bfloat16`, reducedPrecision: true };
    const obstacle = session.withoutDtypes ?? `${name} computes in float32 only`;
    return { ...base, reason: `${reason}; reduced precision has no effect here: ${obstacle}` };
  };
  return { session, choice };
}

/** Starts an engine to see what it is. A GPU adapter that computes on the processor is refused: others do that better. */
async function startToSee(engine: Engine): Promise<EngineSession> {
  const { session } = await startEngine(engine);
  if (!session.software) return session;
  await session.close?.();
  throw new Error(`${session.device} computes on the CPU`);
}

const timesOf = (places: readonly Place[]): string =>
  places
    .map(({ name, milliseconds }) => `${name} ${milliseconds === undefined ? 'behind' : milliseconds.toPrecision(2)}`)
    .join(', ');

async function takeBest(engines: readonly Engine[], reducedPrecision: boolean): Promise<EngineChoice> {
  const refusals: Refusal[] = [];
  /** Commands that get an engine which might have been faster. */
  const installs: string[] = [];
  let left: Candidate[] = [];
  for (const engine of byRank(engines)) {
    const probe = await probeOf(engine);
    refusals.push(...(probe.refusals ?? []));
    if (probe.available) left.push({ engine, probe });
    else if (engine.installer) installs.push(`bulwark engine install ${engine.name}`);
  }
  const attempt = async (engine: Engine, why = ''): Promise<EngineChoice | undefined> => {
    try {
      const { session, choice } = await take(engine, {}, reducedPrecision);
      const { description, device } = session;
      const faster = installs.length > 0 ? `; perhaps faster: ${installs.join(', ')}` : '';
      return choice({ reason: `${description} on ${device}${why}${faster}`, refusals });
    } catch (error) {
      refusals.push(refusalOf(engine.name, error));
      return undefined;
    }
  };

  // a GPU of the engine that is made for it goes before all else
  for (; left.length > 0 && left[0]!.probe.gpu !== false; left = left.slice(1)) {
    const { engine } = left[0]!;
    try {
      if ((await startToSee(engine)).hostMemory) break;
    } catch (error) {
      refusals.push(refusalOf(engine.name, error));
      continue;
    }
    const choice = await attempt(engine);
    if (choice) return choice;
  }
  const order = left.length > 1 ? (knownOrder(left) ?? (await measureOrder(left, startToSee))) : undefined;
  refusals.push(...(order?.refusals ?? []));
  const refused = new Set(order?.refusals.map(({ candidate }) => candidate));
  const places = order?.places.filter(({ name }) => !refused.has(name));
  for (const name of places?.map((place) => place.name) ?? left.map(({ engine }) => engine.name)) {
    const why = places && `, the fastest here (milliseconds of a pass: ${timesOf(places)})`;
    const choice = await attempt(left.find(({ engine }) => engine.name === name)!.engine, why);
    if (choice) return choice;
  }
  throw new BulwarkError(
    'ENGINE_UNAVAILABLE',
    `no engine works on this machine: ${refusals.map(({ candidate, reason }) => `${candidate}: ${reason}`).join('; ')}`,
    { hint: ['run `bulwark doctor`', ...installs.map((command) => `\`${command}\``)].join(', then ') },
  );
}

/** `BULWARK_ENGINE` says what `auto` means, so that tests and scripts are the same on every machine. */
function preference(engines: readonly Engine[]): Engine | undefined {
  const asked = process.env['BULWARK_ENGINE'];
  if (!asked || asked === 'auto') return undefined;
  const engine = engines.find(({ name }) => name === asked);
  if (engine) return engine;
  throw new BulwarkError(
    'ENGINE_UNAVAILABLE',
    `BULWARK_ENGINE is ${JSON.stringify(asked)}; allowed: ${['auto', ...engines.map(({ name }) => name)].join(', ')}`,
    { hint: 'correct or unset the environment variable BULWARK_ENGINE' },
  );
}

/**
 * Loads an engine and makes it current. `auto` takes the engine of the highest rank that works, if that computes on a GPU, else the one
 * that is measured as the fastest; the measurement is kept in Bulwark's cache. It takes no GPU adapter that computes on the processor. The
 * environment variable `BULWARK_ENGINE` replaces `auto` and nothing else.
 * @param request a name, or a name with options, as in a config: `'auto'`, `'wasm'`, `{ use: 'wasm', threads: 2 }`
 * @throws BulwarkError ENGINE_UNAVAILABLE with the reason of each candidate and what to do, PLUGIN_UNKNOWN, CONFIG_INVALID,
 *   ENGINE_NUMERICS
 * @category Programs
 */
export async function useEngine(
  request: string | EngineRequest,
  { engines = coreEngines, reducedPrecision = false }: UseEngineOptions = {},
): Promise<EngineChoice> {
  const { use, ...given } = typeof request === 'string' ? { use: request } : request;
  if (use === 'auto') {
    const [option] = Object.keys(given);
    if (option !== undefined)
      throw new BulwarkError('CONFIG_INVALID', `engine.${option}: auto takes no options`, {
        hint: 'name the engine whose option it is',
      });
    const preferred = preference(engines);
    if (!preferred) return takeBest(engines, reducedPrecision);
    return (await take(preferred, {}, reducedPrecision)).choice({ reason: `BULWARK_ENGINE=${preferred.name}` });
  }
  const engine = engines.find(({ name }) => name === use);
  if (!engine)
    throw new BulwarkError(
      'PLUGIN_UNKNOWN',
      `no engine is called ${JSON.stringify(use)}; known: ${['auto', ...engines.map(({ name }) => name)].join(', ')}`,
      { hint: 'name one of these; engines beyond wasm and cpu are given to useEngine as `engines`' },
    );
  return (await take(engine, given, reducedPrecision)).choice({ reason: 'asked for' });
}
