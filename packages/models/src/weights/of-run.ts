import { existsSync } from 'node:fs';
import { join } from 'node:path';

/** The file that a path to weights means: of the folder of a run its best checkpoint, or its last where none was chosen. */
export const weightsFile = (path: string): string =>
  ['best', 'last'].map((name) => join(path, 'checkpoints', `${name}.safetensors`)).find((file) => existsSync(file)) ??
  path;
