/** What a kind of plugin is started from: source that works, what its test needs to know, and how a config uses it. */
export interface Starter {
  /** TypeScript of src/index.ts; `__name__` and `__export__` stand for the plugin's names. */
  readonly source: string;
  /** The suite of the kit. */
  readonly describe: string;
  /** Second argument of the suite, without its framework. */
  readonly options: string;
  /** Imports that the test needs for these options. */
  readonly testImports?: string;
  /** Sections of the example config that use it. */
  readonly config: string;
  /** Packages of Bulwark that the source or its test imports, besides core. */
  readonly packages: readonly ('objectives' | 'datasets')[];
}
