import { createRequire } from 'node:module';
import type { Native } from './backend/native.js';

/** Loads an addon into this process. Throws what the dynamic linker says. */
export function loadAddon(file: string): Native {
  // read when the library is loaded: waiting threads that keep a core busy slow down whatever else runs there
  process.env['OMP_WAIT_POLICY'] ??= 'passive';
  // cuBLAS reads it when it starts; without it deterministic algorithms are refused
  process.env['CUBLAS_WORKSPACE_CONFIG'] ??= ':4096:8';
  return createRequire(import.meta.url)(file) as Native;
}
