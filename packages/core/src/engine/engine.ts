import type { z } from 'zod';
import type { ComputeDtype, Executor, NetworkGraph, ParameterStore } from '../network/index.js';

/** What an engine needs to run whole passes of a network. */
export interface PrepareRequest {
  readonly graph: NetworkGraph;
  readonly store: ParameterStore;
  /** Runs any pass op by op: for the passes that an engine does not care to run whole. */
  readonly eager: Executor;
}

/** An engine that was started and is TensorFlow.js's current backend. */
export interface EngineSession {
  /** TensorFlow.js's name of the backend. */
  readonly backend: string;
  /** Version and device, in words, for `doctor` and a run's first lines. */
  readonly description: string;
  /** `CPU`, or the name of the GPU. */
  readonly device: string;
  /** What passes may be asked to compute in; float32 always. */
  readonly dtypes: readonly ComputeDtype[];
  /** Why the others are not among them. */
  readonly withoutDtypes?: string;
  readonly threads?: number;
  /** True for a GPU adapter that computes on the processor: `auto` does not take it. */
  readonly software?: boolean;
  /** True if tensors live in the processor's memory, so that a look at a small one costs nothing. */
  readonly hostMemory: boolean;
  /** What works less well than it should, or is worth knowing. */
  readonly remarks: readonly string[];
  /**
   * Runs the passes of a network whole. What it fuses, splits or replays is its own business; it gives passes that it does better op by
   * op to `eager`. Without it, or where it throws, passes run op by op.
   */
  prepare?(request: PrepareRequest): Executor;
  /** Frees what the engine holds beyond its tensors. */
  close?(): Promise<void>;
}

/** Why something that an engine could be started from is of no use. */
export interface Refusal {
  readonly candidate: string;
  readonly reason: string;
}

/** What a cheap look at the machine found: whether it is worth a try to start the engine. */
export type EngineProbe =
  | { readonly available: true; readonly refusals?: readonly Refusal[] }
  | { readonly available: false; readonly refusals: readonly Refusal[]; readonly cure?: string };

/** What an author of an engine writes. */
export interface EngineDefinition<Shape extends z.ZodRawShape> {
  /** Lower case; the `engine` of configs. */
  readonly name: string;
  /** One sentence. */
  readonly summary: string;
  /** Place in the order of `auto`: larger is tried first; undefined: `auto` never takes it. */
  readonly rank?: number;
  /** A Zod shape; each entry carries `.describe(...)` and its default. */
  readonly options?: Shape;
  /** Looks whether the engine can work here, without starting it. */
  probe(): Promise<EngineProbe>;
  /**
   * Starts the engine and makes its backend current.
   * @throws BulwarkError ENGINE_UNAVAILABLE with the reasons and a cure
   */
  start(options: z.output<z.ZodObject<Shape>>): Promise<EngineSession>;
}
