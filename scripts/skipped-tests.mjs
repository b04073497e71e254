// A reporter of Jest that ends a run with the list of the tests that were skipped. With EXPECTED_SKIPS=<file> the run fails
// unless these are exactly the ones in the file (of the test files that ran): a skipped test must not look like one that passed.
import { readFileSync } from 'node:fs';
import { relative, sep } from 'node:path';

const skippedStates = new Set(['pending', 'skipped', 'disabled', 'todo']);

/** Lines of a list: `file > suite > test`, or the beginning of such names and `*`; empty ones and those that begin with # do not count. */
const linesOf = (text) =>
  text
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line && !line.startsWith('#'));

/** What was skipped although it is not in the list, and what is in the list and ran, or is not there any more. */
export function compareSkips({ skipped, expected, files }) {
  const ofThisRun = expected.filter((line) => files.has(line.split(' > ')[0]));
  const matches = (line, name) => (line.endsWith('*') ? name.startsWith(line.slice(0, -1)) : name === line);
  return {
    unexpected: skipped.filter((name) => !ofThisRun.some((line) => matches(line, name))),
    missing: ofThisRun.filter((line) => !skipped.some((name) => matches(line, name))),
  };
}

/** One line for each test, or for each suite of which many are skipped. */
function grouped(skipped) {
  const suites = new Map();
  for (const name of skipped) {
    const suite = name.slice(0, name.lastIndexOf(' > '));
    suites.set(suite, [...(suites.get(suite) ?? []), name]);
  }
  return [...suites].flatMap(([suite, names]) => (names.length > 10 ? [`${suite}: ${names.length} tests`] : names));
}

// eslint-disable-next-line import-x/no-default-export -- Jest takes no other
export default class SkippedTests {
  #problem;
  #pattern;

  constructor({ testNamePattern }) {
    this.#pattern = testNamePattern;
  }

  onRunComplete(_contexts, { testResults }) {
    if (this.#pattern) return; // all tests with another name are skipped
    const nameOf = (path) => relative(process.cwd(), path).split(sep).join('/');
    const skipped = testResults.flatMap(({ testFilePath, testResults: tests }) =>
      tests
        .filter(({ status }) => skippedStates.has(status))
        .map(({ ancestorTitles, title }) => [nameOf(testFilePath), ...ancestorTitles, title].join(' > ')),
    );
    if (skipped.length > 0) console.error(`\nskipped tests (${skipped.length}):\n  ${grouped(skipped).join('\n  ')}`);
    const { EXPECTED_SKIPS: list } = process.env;
    if (list === undefined) return;
    const files = new Set(testResults.map(({ testFilePath }) => nameOf(testFilePath)));
    const expected = list.split(',').flatMap((file) => linesOf(readFileSync(file, 'utf8')));
    const { unexpected, missing } = compareSkips({ skipped, expected, files });
    if (unexpected.length + missing.length === 0) return;
    const told = [
      ...unexpected.map((line) => `skipped, and must not be: ${line}`),
      ...missing.map((line) => `not skipped, take it off ${list}: ${line}`),
    ].join('\n  ');
    this.#problem = new Error(`the skipped tests are not those of ${list}:\n  ${told}`);
    console.error(`\n${this.#problem.message}`);
  }

  getLastError() {
    return this.#problem;
  }
}
