/** One compared quantity of a case. */
export interface VerifyRow {
  readonly quantity: string;
  /** Largest absolute difference. */
  readonly absolute: number;
  /** That difference over the largest absolute expected value of the quantity. */
  readonly relative: number;
  /** In words, e.g. `2e-5 max(1, |v|)`. */
  readonly tolerance: string;
  readonly pass: boolean;
  /** Why it failed: place, value received, value expected. */
  readonly reason?: string;
}

/** Files beside a case that it may need. */
export interface OtherFiles {
  /** The JSON files that have a form. */
  readonly all: (has: (json: unknown) => boolean) => readonly unknown[];
}

/** What running a case may use. */
export interface CaseContext {
  /** File name without folder. */
  readonly file: string;
  /** The other files of the same folder. */
  readonly folder: OtherFiles;
  /** The files that come with Bulwark. */
  readonly bundled: OtherFiles;
  /** Path of a file in the same folder, for cases beside which other formats lie. */
  readonly pathOf: (name: string) => string;
}

/** Knows one documented format of cases. */
export interface CaseRunner {
  readonly kind: string;
  matches(json: unknown, file: string): boolean;
  /** @returns one row per quantity, or undefined for a file that only holds data of other cases */
  run(json: unknown, context: CaseContext): Promise<VerifyRow[] | undefined>;
}

/** A case with its rows. */
export interface CaseResult {
  readonly name: string;
  readonly kind: string;
  readonly seconds: number;
  readonly rows: readonly VerifyRow[];
  readonly pass: boolean;
}
