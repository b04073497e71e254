import { told } from '../tensor/told.js';
import type { Executor } from '../network/index.js';
import type { EngineSession, PrepareRequest } from './engine.js';
import { reasonOf } from './unavailable.js';

/** What runs the passes of a network on an engine. */
export interface Prepared {
  readonly executor: Executor;
  /** The engine that made the executor, in words; undefined where passes go op by op. */
  readonly engine?: string;
  /** Why the engine did not. */
  readonly failure?: string;
}

/** The executor that an engine prepares; where it has none, or fails to, one that works op by op. */
export function executorOf(session: EngineSession, request: PrepareRequest): Prepared {
  const { eager } = request;
  if (!session.prepare) return { executor: eager };
  try {
    const executor = session.prepare(request) as Partial<Executor> | Promise<unknown> | undefined;
    if (executor instanceof Promise) executor.catch(() => undefined); // what it would say comes too late
    const { pass, dispose } = (executor ?? {}) as Partial<Executor>;
    // dtypes is not read: an engine may compile a graph to say what it can compute in
    if (typeof pass === 'function' && typeof dispose === 'function' && 'dtypes' in executor!)
      return { executor: executor as Executor, engine: session.description };
    return { executor: eager, failure: `prepare gave ${told(executor)}, which is no executor` };
  } catch (error) {
    return { executor: eager, failure: reasonOf(error) };
  }
}
