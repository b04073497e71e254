import { useEngine, type Engine, type EngineChoice, type EngineRequest } from '@bulwark/core';
import { enginesOf } from '@bulwark/core/plugins';
import { builtinRegistry } from '../registry.js';
import { bundledCases } from './case-files.js';
import { summary } from './report.js';
import { runCases } from './run-case.js';
import type { CaseResult } from './types.js';

/** What to verify, and who wants to know how far it is. */
export interface VerifyOptions {
  /** The engine to check, as in a config. Default: auto. */
  readonly engine?: string | EngineRequest;
  /** Engines that may be named. Default: all that are installed. */
  readonly engines?: readonly Engine[];
  /** Folder of golden cases. Default: those that come with Bulwark. */
  readonly cases?: string;
  /** Only cases that have this text in their names. */
  readonly only?: string;
  /** Told which engine was started, before the first case. */
  readonly onEngine?: (engine: EngineChoice) => void;
  /** Told before each case, with its number from 1. */
  readonly onStart?: (name: string, number: number, count: number) => void;
  /** Told after each case. */
  readonly onResult?: (result: CaseResult) => void;
}

/** What came out. */
export interface VerifyReport {
  readonly engine: EngineChoice;
  /** Folder of the cases. */
  readonly folder: string;
  readonly cases: readonly CaseResult[];
  /** True if every quantity of every case is within its tolerance. */
  readonly pass: boolean;
  /** One line: how many cases passed. */
  readonly summary: string;
}

/**
 * Compares this installation with numbers of the official implementations on one engine, which stays current afterwards. A case that
 * cannot be run is a failure with a reason.
 * @throws BulwarkError USAGE for a folder without cases or a name that none has, ENGINE_UNAVAILABLE
 */
export async function verify(options: VerifyOptions = {}): Promise<VerifyReport> {
  const { engine = 'auto', engines = enginesOf(builtinRegistry()), cases: folder = bundledCases, only } = options;
  const choice = await useEngine(engine, { engines });
  options.onEngine?.(choice);
  const cases: CaseResult[] = [];
  for await (const result of runCases(folder, { only, onStart: options.onStart })) {
    cases.push(result);
    options.onResult?.(result);
  }
  return { engine: choice, folder, cases, pass: cases.every(({ pass }) => pass), summary: summary(cases) };
}
