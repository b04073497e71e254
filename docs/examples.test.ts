import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import * as authorApi from '@bulwark/core';
import { useEngine } from '@bulwark/core';
import { Tensor } from '@bulwark/core/tfjs';
import ts from 'typescript';

/*
 * Examples in the TSDoc of the author API. What an example says is held: `expression; // => value` (JSON; tensors as arrays, numbers to five
 * decimals) and `expression; // throws CODE`. Names of the module, and `tf`, need no import.
 */
const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const folder = join(root, 'docs/.examples');

const { config } = ts.readConfigFile(join(root, 'tsconfig.docs.json'), (path) => readFileSync(path, 'utf8'));
const { options } = ts.parseJsonConfigFileContent(config, ts.sys, root);
const index = join(root, 'packages/core/src/index.ts');
const program = ts.createProgram([index], options);
const checker = program.getTypeChecker();
const exported = checker.getExportsOfModule(checker.getSymbolAtLocation(program.getSourceFile(index)!)!);
const ofAlias = (symbol: ts.Symbol) =>
  symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;

const valueNames = Object.keys(authorApi);
const isType = (symbol: ts.Symbol) => (ofAlias(symbol).flags & ts.SymbolFlags.Type) !== 0;
const typeNames = exported
  .filter((symbol) => isType(symbol) && !valueNames.includes(symbol.name))
  .map(({ name }) => name);

interface Example {
  readonly name: string;
  readonly code: string;
  readonly file: string;
}

const examples: Example[] = exported
  .filter(({ name }) => valueNames.includes(name))
  .flatMap((symbol) =>
    ofAlias(symbol)
      .getJsDocTags(checker)
      .filter((tag) => tag.name === 'example')
      .map(({ text }, i) => {
        const [, code = ''] = /```ts\n([^]*?)```/.exec(ts.displayPartsToString(text)) ?? [];
        return { name: symbol.name, code, file: join(folder, `${symbol.name}-${i}.ts`) };
      }),
  );

const claim = /^ *\/\/ (=>|throws) ?(.*)$/;

/** Statements of an example that say what comes of them. */
function claimsIn(code: string) {
  const source = ts.createSourceFile('example.ts', code, ts.ScriptTarget.ES2022, true);
  return source.statements.filter(ts.isExpressionStatement).flatMap((statement) => {
    const [, what, given] = claim.exec(code.slice(statement.end).split('\n')[0]!) ?? [];
    return what === undefined ? [] : [{ statement, what, given: given! }];
  });
}

const isUsed = (code: string) => (name: string) => new RegExp(`(?<![.\\w'])${name}\\b`).test(code);

/** The example as a module: what it uses is imported, what it says is checked. */
function moduleOf({ code }: Example): string {
  let body = code;
  for (const { statement, what, given } of claimsIn(code).reverse()) {
    const expression = statement.expression.getText();
    const held =
      what === '=>'
        ? `await expectValue(${expression}, ${given});`
        : `await expectError(async () => ${expression}, ${JSON.stringify(given)});`;
    body = body.slice(0, statement.getStart()) + held + body.slice(statement.end);
  }
  const lines = body.split('\n');
  const imports = lines.filter((line) => line.startsWith('import '));
  return [
    `import { ${valueNames.filter(isUsed(code)).join(', ')} } from '@bulwark/core';`,
    `import type { ${typeNames.filter(isUsed(code)).join(', ')} } from '@bulwark/core';`,
    `import * as tf from '@bulwark/core/tfjs';`,
    ...imports,
    'export async function run(',
    '  expectValue: (value: unknown, expected: unknown) => void,',
    '  expectError: (work: () => Promise<unknown>, code: string) => Promise<void>,',
    '): Promise<void> {',
    ...lines.filter((line) => !line.startsWith('import ')),
    '  void tf;',
    '}',
  ].join('\n');
}

const plain = (value: unknown): unknown => {
  if (value instanceof Tensor) return value.arraySync();
  if (ArrayBuffer.isView(value)) return [...(value as Float32Array)];
  return value;
};

/** `expected` with its numbers as close as five decimals tell. */
const closely = (expected: unknown): unknown => {
  if (typeof expected === 'number') return expect.closeTo(expected, 5);
  if (Array.isArray(expected)) return expected.map(closely);
  if (expected !== null && typeof expected === 'object')
    return Object.fromEntries(Object.entries(expected).map(([key, value]) => [key, closely(value)]));
  return expected;
};

const expectValue = (value: unknown, expected: unknown) => expect(plain(value)).toEqual(closely(expected));

async function expectError(work: () => Promise<unknown>, code: string): Promise<void> {
  const error: unknown = await work().then(
    () => undefined,
    (found: unknown) => found,
  );
  expect(error).toBeInstanceOf(Error);
  if (code) expect((error as { code?: string }).code).toBe(code);
}

beforeAll(async () => {
  await useEngine('cpu');
  mkdirSync(folder, { recursive: true });
  for (const example of examples) writeFileSync(example.file, moduleOf(example));
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('examples of the author API', () => {
  it('are there for every name', () => {
    expect(valueNames.filter((name) => !examples.some((example) => example.name === name))).toEqual([]);
  });

  it('say what comes of them', () => {
    const silent = examples.filter(
      ({ code }) => claimsIn(code).length === 0 || claimsIn(code).length < code.split(/\/\/ (?:=>|throws)/).length - 1,
    );
    expect(silent.map(({ name }) => name)).toEqual([]);
  });

  it('pass the type checker', () => {
    const files = examples.map(({ file }) => file);
    const compiled = ts.createProgram(
      files,
      { ...options, noUnusedLocals: false, noUnusedParameters: false },
      undefined,
      program,
    );
    const found = files.flatMap((file) => {
      const source = compiled.getSourceFile(file);
      return [...compiled.getSyntacticDiagnostics(source), ...compiled.getSemanticDiagnostics(source)].map(
        ({ messageText, start }) => `${file}, at ${start}: ${ts.flattenDiagnosticMessageText(messageText, ' ')}`,
      );
    });
    expect(found).toEqual([]);
  });

  it.each(examples.map((example) => [example.name, example] as const))(
    'come to what they say: %s',
    async (_name, { file }) => {
      const { run } = (await import(file)) as {
        run: (value: typeof expectValue, error: typeof expectError) => Promise<void>;
      };
      await run(expectValue, expectError);
    },
  );
});
