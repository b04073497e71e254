import { currentSession, type EngineSession } from '../engine/current.js';
import type { PrepareRequest } from '../engine/engine.js';
import { executorOf, type Prepared } from '../engine/executor-of.js';

/** Asks each engine once for an executor of a network, when it is current. */
export function preparedFor(request: PrepareRequest): { current(): Prepared; dispose(): void } {
  const known = new Map<string, Prepared & { readonly session: EngineSession }>();
  return {
    current() {
      const session = currentSession();
      if (!session?.prepare) return { executor: request.eager };
      const before = known.get(session.backend);
      if (before?.session === session) return before;
      before?.executor.dispose();
      const made = { session, ...executorOf(session, request) };
      known.set(session.backend, made);
      return made;
    },
    dispose() {
      for (const { executor } of known.values()) executor.dispose();
      known.clear();
    },
  };
}
