import { markHostMemory } from '../ops/index.js';
import { getBackend } from '../tensor/index.js';
import type { EngineSession } from './engine.js';

// One per backend, since TensorFlow.js holds its backends in one place, too.
const sessions = new Map<string, EngineSession>();

/** Makes a session known as that of its backend, in place of an earlier one. */
export function registerSession(session: EngineSession): void {
  sessions.set(session.backend, session);
  markHostMemory(session.backend, session.hostMemory);
}

export type { EngineSession };

/** The session of TensorFlow.js's current backend; undefined for a backend that no engine started: passes then run op by op. */
export const currentSession = (): EngineSession | undefined => sessions.get(getBackend());
