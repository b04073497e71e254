import { join } from 'node:path';
import { BulwarkError } from '@bulwark/core';
import { attackCases } from './attack-cases.js';
import { bundledCases, caseFiles, caseName, otherFiles, readCase } from './case-files.js';
import { modelCases } from './model-cases.js';
import { trainingCases } from './training-case.js';
import type { CaseContext, CaseResult, CaseRunner, OtherFiles, VerifyRow } from './types.js';
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

interface Places {
  readonly folder: string;
  readonly beside: OtherFiles;
  readonly bundled: OtherFiles;
}

async function rowsOf(
  file: string,
  { folder, beside, bundled }: Places,
): Promise<{ kind: string; rows: VerifyRow[] | undefined }> {
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
    folder: beside,
    bundled,
    pathOf: (name) => join(folder, name),
  };
  try {
    const rows = await runner.run(json, context);
    return { kind: runner.kind, rows: rows?.length === 0 ? [failure('nothing in it could be compared')] : rows };
  } catch (error) {
    return { kind: runner.kind, rows: [failure(messageOf(error))] };
  }
}

/** Which cases to run, and who wants to know how far it is. */
export interface CaseSelection {
  /** Only cases whose names contain this text. */
  readonly only?: string;
  /** Told before each case, with its number from 1. */
  readonly onStart?: (name: string, number: number, count: number) => void;
}

/**
 * Runs the cases of a folder on the current engine. A case that cannot be run is a failure with a reason.
 * @throws BulwarkError USAGE if no name contains `only`
 */
export async function* runCases(
  folder: string,
  { only = '', onStart }: CaseSelection = {},
): AsyncGenerator<CaseResult> {
  const files = caseFiles(folder).filter((file) => caseName(file).includes(only));
  if (files.length === 0)
    throw new BulwarkError('USAGE', `no case in ${folder} has ${JSON.stringify(only)} in its name`, {
      hint: 'name part of a case as bulwark verify prints it',
    });
  const places = { folder, beside: otherFiles(folder), bundled: otherFiles(bundledCases) };
  for (const [at, file] of files.entries()) {
    const name = caseName(file);
    onStart?.(name, at + 1, files.length);
    const began = performance.now();
    const { kind, rows } = await rowsOf(file, places);
    const seconds = (performance.now() - began) / 1000;
    if (rows) yield { name, kind, seconds, rows, pass: rows.every(({ pass }) => pass) };
  }
}
