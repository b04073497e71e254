/** What a kind of plugin is started from: source that works, what its test needs to know, and how a config uses it. */
export interface Starter {
  /** TypeScript of src/index.ts; `__name__` and `__export__` stand for the plugin's names. */
  readonly source: string;
  /** The suite of the kit. */
  readonly describe: string;
  /** Second argument of the suite, without its framework. */
  readonly options: string;
  /** Sections of the example config that use it. */
  readonly config: string;
  /** The command that the example is for: a config of a run, or a sweep over one. Default: `train`. */
  readonly command?: 'train' | 'sweep';
  /** Packages of Bulwark that the source or its test imports, besides core. */
  readonly packages: readonly ('objectives' | 'datasets')[];
}

/** Sections of example configs that are over soon. */
export const smallData = 'data: { use: fashion-mnist-mini, batchSize: 64, limit: { train: 640 } }';
export const at = 'objective: { use: at, inner: { steps: 3, stepSize: 0.05 } }';
export const smallCnn = 'model: { use: small-cnn, width: 8 }';
