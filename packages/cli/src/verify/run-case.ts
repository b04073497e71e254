import { join } from 'node:path';
import { attackCases } from './attack-cases.js';
import { caseFiles, caseName, pathOfCase, readCase } from './case-files.js';
import { modelCases } from './model-cases.js';
import { trainingCases } from './training-case.js';
import type { CaseContext, CaseResult, CaseRunner, VerifyRow } from './types.js';
import { unitCases } from './unit-cases.js';

/** Every format of cases; the first runner that matches a file runs it. */
export const caseRunners: readonly CaseRunner[] = [trainingCases, unitCases, modelCases, attackCases];

const failure = (reason: string): VerifyRow => ({
  quantity: '-',
  absolute: NaN,
  relative: NaN,
  tolerance: '-',
  pass: false,
  reason,
});

const messageOf = (error: unknown) => (error instanceof Error ? error.message : String(error));

async function rowsOf(file: string, folder: string): Promise<{ kind: string; rows: VerifyRow[] | undefined }> {
  let json: unknown;
  try {
    json = readCase(join(folder, file));
  } catch (error) {
    return { kind: 'unreadable', rows: [failure(`not readable as JSON: ${messageOf(error)}`)] };
  }
  const runner = caseRunners.find(({ matches }) => matches(json, file));
  if (!runner) return { kind: 'unknown', rows: [failure('no documented case has this form')] };
  const context: CaseContext = {
    file,
    read: (name) => readCase(pathOfCase(folder, name)),
    pathOf: (name) => join(folder, name),
  };
  try {
    const rows = await runner.run(json, context);
    return { kind: runner.kind, rows: rows?.length === 0 ? [failure('nothing in it could be compared')] : rows };
  } catch (error) {
    return { kind: runner.kind, rows: [failure(messageOf(error))] };
  }
}

/** Runs every case of a folder on the current engine. A case that cannot be run is a failure with a reason. */
export async function* runCases(folder: string): AsyncGenerator<CaseResult> {
  for (const file of caseFiles(folder)) {
    const { kind, rows } = await rowsOf(file, folder);
    if (rows) yield { name: caseName(file), kind, rows, pass: rows.every(({ pass }) => pass) };
  }
}
