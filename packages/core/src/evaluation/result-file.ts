import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { BulwarkError } from '../errors.js';
import { parseEvaluation, type EvaluationResult } from './result.js';

/** Writes a result so that a reader sees the old file or the new one, never half of one. @throws BulwarkError RUN_WRITE */
export async function saveEvaluation(file: string, result: EvaluationResult): Promise<void> {
  try {
    await mkdir(dirname(file), { recursive: true });
    await writeFile(`${file}.tmp`, `${JSON.stringify(result)}\n`);
    await rename(`${file}.tmp`, file);
  } catch (cause) {
    throw new BulwarkError('RUN_WRITE', `cannot write ${file}: ${(cause as Error).message}`, {
      cure: 'check the folder, its permissions and the free space',
      cause,
    });
  }
}

/** The result in a file, or undefined where there is none. @throws BulwarkError DATA_CORRUPT */
export async function loadEvaluation(file: string): Promise<EvaluationResult | undefined> {
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw new BulwarkError('DATA_CORRUPT', `cannot read ${file}: ${error.message}`, { cure: 'check its permissions' });
  });
  if (text === undefined) return undefined;
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw new BulwarkError('DATA_CORRUPT', `${file} is not JSON`, { cure: 'evaluate again with another output file' });
  }
  return parseEvaluation(json, file);
}
