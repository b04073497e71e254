/** One way to use the exported files: what to know, and the lines of code. */
export interface Usage {
  readonly framework: string;
  readonly text: string;
  readonly code?: string;
}
