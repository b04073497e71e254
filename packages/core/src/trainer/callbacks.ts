import type { Classifier } from '../classifier/index.js';
import { BulwarkError } from '../errors.js';
import type { Callback, EpochSeen, ModelReader, RunEnded, RunStarted, StepSeen } from '../hooks/index.js';

/** A callback and what it is called in messages. */
export interface NamedCallback {
  readonly name: string;
  readonly callback: Callback;
}

type Without<T> = Omit<T, 'model'>;

/** Tells the callbacks of a run what happens; they see copies, and what they throw is told to the user. */
export interface CallbackRunner {
  /** @throws BulwarkError CALLBACK_FAILED */
  start(run: Pick<RunStarted, 'epochs' | 'stepsPerEpoch' | 'resumedAt' | 'history'>): Promise<void>;
  /** @throws BulwarkError CALLBACK_FAILED, if a failure is to stop the run */
  step(seen: Without<StepSeen>): Promise<void>;
  /** @throws likewise */
  epoch(seen: Without<EpochSeen>): Promise<void>;
  /** @throws likewise */
  rollback(at: { epoch: number; reason: string }): Promise<void>;
  /** @throws likewise, unless the run has failed anyway */
  end(run: RunEnded): Promise<void>;
}

/** A copy that nothing can be written into. */
export function frozenCopy<T>(value: T): T {
  if (typeof value !== 'object' || value === null) return value;
  const copy = Array.isArray(value)
    ? value.map(frozenCopy)
    : Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, frozenCopy(entry)]));
  return Object.freeze(copy) as T;
}

/** A reader that answers until it is closed. */
function readerOf(model: Classifier): { reader: ModelReader; close: () => void } {
  let open = true;
  const find = (name: string) => {
    if (!open) throw new Error('the model can be read only while the call lasts that it was given to');
    const variable = model.parameters.get(name) ?? model.statistics.get(name);
    if (!variable) throw new Error(`the model has no parameter or statistics called ${name}`);
    return variable;
  };
  const reader: ModelReader = {
    parameters: [...model.parameters.keys()],
    statistics: [...model.statistics.keys()],
    shape: (name) => [...find(name).shape],
    read: async (name) => Float32Array.from(await find(name).data()),
  };
  Object.freeze(reader.parameters);
  Object.freeze(reader.statistics);
  return { reader: Object.freeze(reader), close: () => void (open = false) };
}

/** Runs callbacks one after the other, in the order of the config. */
export function runCallbacks(
  callbacks: readonly NamedCallback[],
  options: {
    readonly model: Classifier;
    readonly run: Pick<RunStarted, 'name' | 'folder' | 'config' | 'engine' | 'opened'>;
    readonly onFailure: 'switch-off' | 'stop';
    readonly warn: (message: string) => void;
  },
): CallbackRunner {
  const { model, onFailure, warn } = options;
  let active = [...callbacks];

  const failed = (name: string, where: string, cause: unknown, stops: boolean) => {
    const what = `${name} failed ${where}: ${cause instanceof Error ? cause.message : String(cause)}`;
    if (!stops) return warn(`${what}; it is switched off, and training goes on`);
    throw new BulwarkError('CALLBACK_FAILED', what, {
      hint:
        (cause instanceof BulwarkError && cause.hint) ||
        'mend it, or go on without it: --resume RUN --set callbacks=[], or --set guard.callbacks=switch-off',
      cause,
    });
  };

  async function tell<E extends keyof Callback>(
    event: E,
    seen: Parameters<NonNullable<Callback[E]>>[0] extends infer S ? Omit<S, 'model'> : never,
    { where, stops, reads = true }: { where: string; stops: boolean; reads?: boolean },
  ): Promise<void> {
    for (const each of active) {
      if (!each.callback[event]) continue;
      const { reader, close } = readerOf(model);
      try {
        const shown = Object.freeze({ ...frozenCopy(seen), ...(reads && { model: reader }) });
        await (each.callback[event] as (seen: unknown) => void | Promise<void>).call(each.callback, shown);
      } catch (cause) {
        active = active.filter((other) => other !== each);
        failed(each.name, where, cause, stops);
      } finally {
        close();
      }
    }
  }

  const stops = onFailure === 'stop';
  return {
    start: (run) => tell('start', { ...options.run, ...run }, { where: 'at the start', stops: true }),
    step: (seen) => tell('step', seen, { where: `in epoch ${seen.epoch}, step ${seen.step}`, stops }),
    epoch: (seen) => tell('epoch', seen, { where: `after epoch ${seen.metrics.epoch}`, stops }),
    rollback: (at) => tell('rollback', at, { where: `at the rollback to epoch ${at.epoch}`, stops, reads: false }),
    end: (run) => tell('end', run, { where: 'at the end', stops: stops && run.reason !== 'failed', reads: false }),
  };
}
