import { createRequire } from 'node:module';

/** The addon. Whatever waits gives `false` where it is late; then the process must end. */
export interface NativeMpi {
  /** Starts MPI; ends the process if that takes longer. */
  start(seconds: number): [rank: number, size: number, library: string];
  allReduce(values: Float32Array, seconds: number): boolean;
  allGather(values: Float32Array, seconds: number): Float32Array[] | false;
  broadcast(bytes: Uint8Array, seconds: number): boolean;
  barrier(seconds: number): boolean;
  /** The ranks that do not call this within that time. */
  missing(seconds: number): number[];
  abort(code: number): void;
  stop(): void;
}

/** Loads an addon into this process. Throws what the dynamic linker says. */
export const loadAddon = (file: string): NativeMpi => createRequire(import.meta.url)(file) as NativeMpi;
