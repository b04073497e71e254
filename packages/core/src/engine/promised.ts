import { told } from '../tensor/told.js';
import { BulwarkError } from '../errors.js';
import type { Engine, EngineProbe, EngineSession } from './engine.js';
import { refusalOf, unavailable } from './unavailable.js';

/** Looks whether an engine can work here. One whose look fails, or that answers with something else, cannot. */
export async function probeOf(engine: Engine): Promise<EngineProbe> {
  const { name } = engine;
  try {
    const probe = (await engine.probe()) as Partial<EngineProbe> | undefined;
    if (probe?.available === true) return probe as EngineProbe;
    if (probe?.available === false) return { ...probe, available: false, refusals: probe.refusals ?? [] };
    const reason = `its probe gave ${told(probe)} instead of an object with available: true or false`;
    return { available: false, refusals: [{ candidate: name, reason }] };
  } catch (error) {
    return { available: false, refusals: [refusalOf(name, error)] };
  }
}

const isUpdates = (updates: object) =>
  ['plusScaled', 'sgd', 'approach', 'blend', 'sums'].every(
    (name) => typeof (updates as Record<string, unknown>)[name] === 'function',
  );

const isText = (value: unknown) => typeof value === 'string' && value !== '';

/** What a session has to have, and when that is there. */
const members: Readonly<Record<string, (session: Partial<EngineSession>) => boolean>> = {
  'a text as backend': ({ backend }) => isText(backend),
  'a text as description': ({ description }) => isText(description),
  'a text as device': ({ device }) => isText(device),
  'dtypes with float32': ({ dtypes }) => Array.isArray(dtypes) && dtypes.includes('float32'),
  'true or false as hostMemory': ({ hostMemory }) => typeof hostMemory === 'boolean',
  'a list as remarks': ({ remarks }) => Array.isArray(remarks),
  'a function as prepare, or none': ({ prepare }) => prepare === undefined || typeof prepare === 'function',
  'updates with all their functions, or none': ({ updates }) => updates === undefined || isUpdates(updates),
};

/**
 * Starts an engine that can work here.
 * @throws BulwarkError ENGINE_UNAVAILABLE, whatever it was that kept it from starting; ENGINE_INVALID for a session that is none
 */
export async function sessionOf(engine: Engine, options: Record<string, unknown>): Promise<EngineSession> {
  const { name } = engine;
  const probe = await probeOf(engine);
  if (!probe.available) throw unavailable(name, probe.refusals, probe.hint);
  let session: EngineSession;
  try {
    session = await engine.create(options);
  } catch (error) {
    throw error instanceof BulwarkError ? error : unavailable(name, [refusalOf(name, error)]);
  }
  const lacking = Object.entries(members).find(([, isThere]) => typeof session !== 'object' || !isThere(session ?? {}));
  if (lacking)
    throw new BulwarkError('ENGINE_INVALID', `engine ${name}: its start gave ${told(session)} without ${lacking[0]}`, {
      hint: 'tell its author, who finds in EngineSession what a session has; until then, take another engine',
    });
  return session;
}
