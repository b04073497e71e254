import type * as tf from '../tensor/index.js';
import type { Batch } from '../batch.js';
import type { Classifier } from '../classifier/index.js';
import type { Random } from '../random.js';
import type { ThreatModel } from '../threat/index.js';

/** Which point of the ball something is: `natural` is the image itself. Two-neighbour methods add numbered roles. */
export type Role = 'natural' | 'adversarial' | 'collaborative' | (string & {});

/** What a hook may use while neighbours are made. Nothing here is on the gradient tape. */
export interface CraftContext {
  readonly model: Classifier;
  readonly threat: ThreatModel;
  /**
   * Attack noise. In a part of a batch it gives the rows that the part's examples get in the whole batch, of tensors whose first dimension
   * is the number of examples or a multiple (`randomOfPart`); all else is the same for every part.
   */
  readonly random: Random;
  /** Epoch, from 0. */
  readonly epoch: number;
  /** Number of epochs of the run. */
  readonly epochs: number;
  /** Share of the run that is done, in [0, 1); default `epoch / epochs`. */
  readonly progress?: number;
  /** Position of this batch's first example in the batch of the step, where that is worked through in parts; default 0. */
  readonly offset?: number;
  /** Sees every update of an attack before it is made; for `verify` and for tests. Steers nothing. */
  readonly observe?: (observation: CraftObservation) => void;
}

/** One update of an attack, as it is about to be made. The tensors live only as long as the call. */
export interface CraftObservation {
  /** Counts from 0 in every attack. */
  readonly step: number;
  /** The points that the update starts from, by role, each `[batch, h, w, c]` float32. */
  readonly points: Readonly<Record<string, tf.Tensor4D>>;
  /** The loss that the attack follows, per example, `[batch]` float32. */
  readonly loss: tf.Tensor1D;
  /** Squeeze only: the chosen side, index into [natural, collaborative, adversarial], each `[batch]` int32. */
  readonly choice?: { readonly upper: tf.Tensor1D; readonly lower: tf.Tensor1D };
}

/** Share of the run that is done, in [0, 1). */
export const progressOf = ({ epoch, epochs, progress }: Pick<CraftContext, 'epoch' | 'epochs' | 'progress'>): number =>
  progress ?? epoch / epochs;

/** The neighbours of one batch, with whatever per-example facts the attack found out on the way. */
export interface Crafted {
  /** Points by role, each `[batch, h, w, c]` float32 in [0, 1]; never contains `natural`. */
  readonly points: Readonly<Record<string, tf.Tensor4D>>;
  /** Findings per example that terms may use (GAIRAT's kappa, a teacher's logits), each `[batch, ...]`, constants. */
  readonly facts?: Readonly<Record<string, tf.Tensor>>;
}

/** Hook: which neighbours of x inside the threat model's ball does this step train on? */
export interface InnerOptimizer {
  /** The roles of the points it makes. */
  readonly produces: readonly Role[];
  /** Of these, the points that leave the ball or the pixel range on purpose (HAT's helper); all others keep to both. */
  readonly beyond?: readonly Role[];
  /** Whether it keeps each example to its own radius where the method gives one: it reads `radiusOf(threat)`, never `threat.epsilon`. */
  readonly followsRadii?: boolean;
  /**
   * Makes the neighbours. Runs off the tape, leaves parameters untouched; running statistics change only if the method
   * says so (attack in `train` mode), and nothing that the method carries from step to step: a batch may be worked through in parts, on
   * several machines; `afterStep` sees the facts of all. The caller disposes the result.
   */
  craft(batch: Batch, context: CraftContext): Crafted;
}
