import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect } from '@jest/globals';

/** Prettier pads tables. */
const squeezed = (all: string): string => all.replace(/ +/g, ' ').replace(/-+/g, '-');

/** A table of forms, and what each comes to. */
export const formsTable = (rows: readonly (readonly [form: string, outcome: string])[]): string[] => [
  '| form | comes to |',
  '| --- | --- |',
  ...rows.map(([form, outcome]) => `| ${form} | ${outcome} |`),
];

/** Holds what a test makes of a page in `docs/` to these lines; UPDATE_DOCS=1 writes it. */
export function expectInDocs(page: string, madeBy: string, lines: readonly string[]): void {
  const path = fileURLToPath(new URL(`../../../docs/${page}`, import.meta.url));
  const [begin, end] = [`<!-- forms: made by ${madeBy} -->`, '<!-- end of forms -->'];
  const text = readFileSync(path, 'utf8');
  const [before, rest] = text.split(begin);
  expect([page, madeBy, rest === undefined]).toEqual([page, madeBy, false]);
  const after = rest!.slice(rest!.indexOf(end));
  const expected = `${before}${begin}\n\n${lines.join('\n').trimEnd()}\n\n${after}`;
  if (process.env['UPDATE_DOCS']) writeFileSync(path, expected);
  expect(squeezed(readFileSync(path, 'utf8'))).toBe(squeezed(expected));
}
