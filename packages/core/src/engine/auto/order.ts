import type { Engine, EngineProbe, EngineSession, Refusal } from '../engine.js';
import { noteOf } from '../notes.js';
import { probeOf } from '../promised.js';
import { refusalOf } from '../unavailable.js';
import { timeEngines, type Place, type Runner } from './measure.js';

/** An engine whose probe found that it is worth a try. */
export interface Candidate {
  readonly engine: Engine;
  readonly probe: Extract<EngineProbe, { available: true }>;
}

/** The order in which engines of a machine are to be tried. */
export interface Order {
  /** The fastest first, those that failed last. */
  readonly places: readonly Place[];
  /** Why some of them cannot be used. */
  readonly refusals: readonly Refusal[];
}

/** What the order depends on: which engines there are, in which versions, and how many threads they may take. */
const noteFor = (candidates: readonly Candidate[]) =>
  noteOf('fastest', {
    threads: process.env['BULWARK_THREADS'] ?? 'auto',
    engines: candidates.map(({ engine, probe }) => [engine.name, probe.version ?? '']),
  });

const isOrder = (value: unknown, candidates: readonly Candidate[]): value is Order => {
  const { places, refusals } = (value ?? {}) as Partial<Order>;
  const names = Array.isArray(places) && new Set(places.map((place: Partial<Place> | null) => place?.name));
  return Array.isArray(refusals) && names && candidates.every(({ engine }) => names.has(engine.name));
};

/** The order that was measured here before, if it was. */
export function knownOrder(candidates: readonly Candidate[]): Order | undefined {
  const value = noteFor(candidates).read();
  return isOrder(value, candidates) ? value : undefined;
}

/** Names of these engines, the fastest first, if `auto` has measured them here before and nothing has changed; the rest is left out. */
export async function measuredOrder(engines: readonly Engine[]): Promise<readonly string[] | undefined> {
  const candidates: Candidate[] = [];
  for (const engine of engines) {
    const probe = await probeOf(engine);
    if (probe.available && engine.rank !== undefined) candidates.push({ engine, probe });
  }
  return knownOrder(candidates)?.places.map(({ name }) => name);
}

/**
 * Starts engines, times them, and notes the order.
 * @param start starts one, or throws what refuses it
 */
export async function measureOrder(
  candidates: readonly Candidate[],
  start: (engine: Engine) => Promise<EngineSession>,
  time = timeEngines,
): Promise<Order> {
  const runners: Runner[] = [];
  const refusals: Refusal[] = [];
  for (const { engine } of candidates)
    try {
      runners.push({ name: engine.name, session: await start(engine) });
    } catch (error) {
      refusals.push(refusalOf(engine.name, error));
    }
  const places = runners.length > 0 ? await time(runners) : [];
  for (const { name, failure } of places)
    if (failure !== undefined) refusals.push({ candidate: name, reason: failure });
  const timed = places.filter(({ failure }) => failure === undefined);
  const failed = candidates.filter(({ engine }) => timed.every(({ name }) => name !== engine.name));
  const order = { places: [...timed, ...failed.map(({ engine: { name } }) => ({ name }))], refusals };
  noteFor(candidates).write(order);
  for (const { name, session } of runners) if (name !== timed[0]?.name) await session.close?.();
  return order;
}
