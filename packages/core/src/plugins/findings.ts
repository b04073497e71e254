import type { ThreatModel } from '../threat/index.js';

/** What is known of a run before its data are read. */
export interface RunPlan {
  readonly threat: ThreatModel;
  readonly epochs: number;
}

/** Something about options that are each allowed, but not together. */
export interface Finding {
  /**
   * `contradiction`: they cannot both be meant, and the run is refused. `doubt`: one of them has no effect, or not the one that its name
   * promises; that is said once and the run goes on.
   */
  readonly kind: 'contradiction' | 'doubt';
  /** One clause that names both options with their values: `nesterov is true, and momentum is 0`. */
  readonly text: string;
  /** What to write instead. */
  readonly hint: string;
}

/**
 * Options that cannot both be meant.
 * @example
 * ```ts
 * contradiction('from is 5, and until is 3', 'set until to 5 or more').kind; // => "contradiction"
 * ```
 * @category Options of plugins
 */
export const contradiction = (text: string, hint: string): Finding => ({ kind: 'contradiction', text, hint });

/**
 * An option that changes nothing beside another.
 * @example
 * ```ts
 * doubt('warmup is 10, and the run has 5 epochs: all of it is warm-up', 'set warmup below 5').kind; // => "doubt"
 * ```
 * @category Options of plugins
 */
export const doubt = (text: string, hint: string): Finding => ({ kind: 'doubt', text, hint });
