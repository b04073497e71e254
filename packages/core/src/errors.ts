/**
 * Every error that a user can meet, by code. `docs/troubleshooting.md` has an entry for each; a test compares
 * the two lists in both directions.
 * @example
 * ```ts
 * errorCatalogue.PLUGIN_UNKNOWN; // => "No plugin of this kind has this name."
 * ```
 * @category Errors
 */
export const errorCatalogue = {
  CONFIG_PARSE: 'The config file cannot be read or parsed.',
  CONFIG_INVALID: 'A config key is unknown, has a wrong type, or a value out of range.',
  CONFIG_EXTENDS: 'A base config named by `extends` cannot be used.',
  PLUGIN_UNKNOWN: 'No plugin of this kind has this name.',
  PLUGIN_DUPLICATE: 'Two plugins of one kind have the same name.',
  PLUGIN_LOAD: 'A plugin package or file cannot be loaded.',
  PLUGIN_UNTRUSTED: 'A run folder asks for plugins that nothing says you trust.',
  ROLE_MISSING: 'A term needs a neighbour that the inner optimizer does not make.',
  OBJECTIVE_INVALID: 'An objective does not have the form of one.',
  BATCH_INVALID: 'Images or labels are outside the documented range, shape or type.',
  DATA_MISSING: 'A data set is not on this machine.',
  DATA_CORRUPT: 'A data file is truncated, damaged, or of an unexpected version.',
  DATA_UNLABELLED: 'No training image has a label.',
  DATA_FETCH: 'A data set could not be downloaded.',
  ENGINE_UNAVAILABLE: 'The requested engine cannot run on this machine.',
  ENGINE_INSTALL: 'An engine could not be installed.',
  ENGINE_NUMERICS: 'An engine loads but computes wrong numbers.',
  ENGINE_INVALID: 'An engine does not give what engines have to.',
  ENGINE_MEMORY: 'The engine ran out of memory.',
  ENGINE_THREADS: 'A thread of the engine failed or does not answer.',
  RUN_EXISTS: 'The run folder exists already.',
  RUN_MISSING: 'The run folder does not exist or is not a run.',
  RUN_LOCKED: 'Another process is working in this run folder.',
  RUN_CORRUPT: 'A file of the run folder is damaged or was changed.',
  RUN_WRITE: 'The run folder cannot be written.',
  FILE_WRITE: 'A file cannot be written.',
  CHECKPOINT_MISSING: 'No usable checkpoint was found.',
  CHECKPOINT_CORRUPT: 'A checkpoint is damaged or does not fit the model.',
  WEIGHTS_INVALID: 'A weights file is damaged, malicious, or does not fit the model.',
  MODEL_INVALID: 'A model does not have the form that a classifier needs.',
  PASS_INVALID: 'A forward pass was asked for what it cannot give, or given what does not fit.',
  ATTACK_INVALID: 'An attack cannot be applied to this model, data or method.',
  LOSS_NOT_FINITE: 'A loss term or gradient became NaN or infinite.',
  CALLBACK_FAILED: 'A callback of the run failed.',
  TRAINING_COLLAPSED: 'Training accuracy fell to chance.',
  ROBUSTNESS_LOST: 'Training lost its robustness within an epoch (catastrophic overfitting).',
  NUMERICS_MISMATCH: 'A golden case did not reproduce.',
  JOBS_FAILED: 'Some of several jobs failed.',
  LAUNCHER_UNAVAILABLE: 'What should run the jobs is not there or does not answer.',
  LAUNCH_REFUSED: 'What should run the jobs takes none of them.',
  LAUNCH_LOST: 'A job ended without having written anything.',
  RANK_LOST: 'One of the processes that train together does not answer.',
  RANKS_DIFFER: 'The processes that train together do not run the same thing.',
  MPI_UNAVAILABLE: 'Several processes were asked for, and there is no MPI that they could speak over.',
  INTERRUPTED: 'The run was interrupted.',
  USAGE: 'A command was called with arguments that do not fit.',
} as const;

/** The code of an error, by which `docs/troubleshooting.md` explains it. */
export type ErrorCode = keyof typeof errorCatalogue;

/** Exit codes of the command, by error code; everything not listed exits with 1. */
const exitCodes: Partial<Record<ErrorCode, number>> = {
  USAGE: 2,
  CONFIG_PARSE: 2,
  CONFIG_INVALID: 2,
  CONFIG_EXTENDS: 2,
  PLUGIN_UNKNOWN: 2,
  INTERRUPTED: 130,
};

/**
 * An error with a cause that the user can act on. The message names the place, the value received, and what is allowed.
 * @example
 * ```ts
 * const error = new BulwarkError('CONFIG_INVALID', 'epochs: 0; allowed: whole numbers from 1 on', {
 *   hint: 'write epochs: 10',
 * });
 * error.code; // => "CONFIG_INVALID"
 * error.hint; // => "write epochs: 10"
 * ```
 * @category Errors
 */
export class BulwarkError extends Error {
  readonly code: ErrorCode;
  /** What to do about it, one sentence; printed on its own line. */
  readonly hint: string | undefined;

  constructor(code: ErrorCode, message: string, options: { hint?: string; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'BulwarkError';
    this.code = code;
    this.hint = options.hint;
  }

  get exitCode(): number {
    return exitCodes[this.code] ?? 1;
  }
}
