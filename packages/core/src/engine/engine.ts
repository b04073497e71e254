import type { Tensor, Tensor1D, Variable } from '../tensor/index.js';
import type { z } from 'zod';
import type { Collective, TensorSums } from '../collective/index.js';
import type { ComputeDtype, Executor, NetworkGraph, ParameterStore } from '../network/index.js';

/** What an engine needs to run whole passes of a network. */
export interface PrepareRequest {
  readonly graph: NetworkGraph;
  readonly store: ParameterStore;
  /** Runs any pass op by op: for the passes that an engine does not care to run whole. */
  readonly eager: Executor;
}

/**
 * Arithmetic on many variables at once, float32, as an optimizer and averages need it. Lists go together place by place, in equal shapes.
 * Variables are written; whoever holds a copy of one (`clone`) keeps what it was.
 */
export interface Updates {
  /** `a + factor * b`, as new tensors. */
  plusScaled(a: readonly Tensor[], b: readonly Tensor[], factor: number): Tensor[];
  /**
   * One update of SGD as PyTorch makes it: `v = momentum * v + g`, `w -= rate * v`, or `w -= rate * (g + momentum * v)` with Nesterov's
   * momentum; without velocity `w -= rate * g`.
   */
  sgd(
    lists: {
      readonly parameters: readonly Variable[];
      readonly gradients: readonly Tensor[];
      readonly velocity?: readonly Variable[];
    },
    options: { readonly rate: number; readonly momentum: number; readonly nesterov: boolean },
  ): void;
  /** `variable += share * (target - variable)`. */
  approach(variables: readonly Variable[], targets: readonly Tensor[], share: number): void;
  /** `variable = keep * variable + add * value`, with two factors for each. */
  blend(
    lists: { readonly variables: readonly Variable[]; readonly values: readonly Tensor[] },
    shares: { readonly keep: readonly number[]; readonly add: readonly number[] },
  ): void;
  /** The sum of each, `[variables]`: finite only where all numbers of one are. */
  sums(variables: readonly Tensor[]): Tensor1D;
}

/** An engine that was started and is TensorFlow.js's current backend. */
export interface EngineSession {
  /** TensorFlow.js's name of the backend. */
  readonly backend: string;
  /** Version and origin, in words, for `doctor` and a run's first lines. */
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
  /** How it rounds where that is not float32 throughout, in words for a run's summary and its model card: `products in TF32`. */
  readonly arithmetic?: string;
  /** False if the same computation may give other bits the next time, on the same machine. */
  readonly repeatable?: boolean;
  /** What works less well than it should, or is worth knowing. */
  readonly remarks: readonly string[];
  /**
   * Runs the passes of a network whole. What it fuses, splits or replays is its own business; it gives passes that it does better op by
   * op to `eager`. Without it, or where it throws, passes run op by op.
   */
  prepare?(request: PrepareRequest): Executor;
  /** Updates variables in place, all in one call. Without it that goes op by op. */
  readonly updates?: Updates;
  /**
   * Sums over the processes that train together which leave tensors where they are; all of them call this together. Without it, or where
   * it gives a reason, sums go through the memory of the host.
   * @throws BulwarkError RANK_LOST
   */
  sums?(collective: Collective): Promise<TensorSums | { readonly reason: string } | undefined>;
  /** The most of a GPU's memory that tensors took since the last call, in bytes; undefined where that is not known. */
  peakDeviceMemory?(): number | undefined;
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
  | {
      readonly available: true;
      readonly refusals?: readonly Refusal[];
      /** What is there, in words: what was measured of the engine holds until this changes. */
      readonly version?: string;
      /** False if it can only compute on the processor, so that it need not be started to know that. */
      readonly gpu?: boolean;
    }
  | { readonly available: false; readonly refusals: readonly Refusal[]; readonly hint?: string };

/** Something that an engine's installer put on this machine. */
export interface InstalledPart {
  /** What it is and how it was obtained, in words. */
  readonly description: string;
  readonly folder: string;
  /** Disk space below `folder`. */
  readonly bytes: number;
}

/** How an engine gets what it cannot bring along: native libraries, mostly. `bulwark engine install | list | remove` call it. */
export interface EngineInstaller<Options = Record<string, unknown>> {
  /** Gets and checks it; what was there before stays until then. @throws BulwarkError ENGINE_INSTALL, ENGINE_NUMERICS */
  install(options: Options, context: { progress(line: string): void }): Promise<InstalledPart>;
  /** What is installed and can be used on this machine. */
  installed(): readonly InstalledPart[];
  /** Removes everything that it ever installed. @returns what could have been used */
  remove(): Promise<readonly InstalledPart[]>;
}

type OutputOf<Shape extends z.ZodRawShape> = z.output<z.ZodObject<Shape>>;

/** What an author of an engine writes. */
export interface EngineDefinition<Shape extends z.ZodRawShape, InstallShape extends z.ZodRawShape> {
  /** Lower case with hyphens; the `engine` of configs. */
  readonly name: string;
  /** One sentence. */
  readonly summary: string;
  /**
   * `auto` takes the engine of the largest rank that works if that computes on a GPU, else the one that it measures as the fastest;
   * undefined: it never takes this one.
   */
  readonly rank?: number;
  /** A Zod shape; each entry carries `.describe(...)` and its default. */
  readonly options?: Shape;
  /** For an engine whose numbers mean nothing, such as one that counts: they are not compared with plain JavaScript's. */
  readonly unchecked?: boolean;
  /** Looks whether the engine can work here, without starting it. */
  probe(): Promise<EngineProbe>;
  /**
   * Starts the engine and makes its backend current. Called again in the same process, with the same options or others, it does what
   * it still can and says in `remarks` what it cannot.
   * @throws BulwarkError ENGINE_UNAVAILABLE with the reasons and a hint
   */
  start(options: OutputOf<Shape>): Promise<EngineSession>;
  /** For an engine that needs more than its package: `options` become flags of `bulwark engine install <name>`. */
  readonly installer?: EngineInstaller<OutputOf<InstallShape>> & { readonly options?: InstallShape };
}

/** An engine: a plugin whose product is a session. */
export interface Engine extends Omit<
  EngineDefinition<z.ZodRawShape, z.ZodRawShape>,
  'options' | 'start' | 'installer'
> {
  readonly kind: 'engine';
  readonly options: z.ZodObject;
  /** `start` of the definition. */
  create(options: Record<string, unknown>): Promise<EngineSession>;
  readonly installer?: EngineInstaller & { readonly options: z.ZodObject };
}

/** A section of a config that names an engine, with its options beside the name. `auto` takes none. */
export interface EngineRequest {
  readonly use: string;
  readonly [option: string]: unknown;
}
