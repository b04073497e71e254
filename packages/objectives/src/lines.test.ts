import { readdirSync, readFileSync } from 'node:fs';
import { beforeAll, expect, it } from '@jest/globals';
import { useEngine } from '@bulwark/core';
import { passesOf } from '@bulwark/core/hooks';
import { make } from './testing/step.js';

beforeAll(() => useEngine('wasm'));

const folder = new URL('.', import.meta.url);
const sourceOf = (name: string, at: URL = folder) => readFileSync(new URL(name, at), 'utf8');

/** Lines with something on them that is neither a comment nor an import. */
const linesOf = (source: string): number =>
  source
    .replace(/^import [^;]*;$/gm, '')
    .replace(/\/\*\*?[\s\S]*?\*\//g, '')
    .split('\n')
    .filter((line) => line.trim() !== '' && !/^\s*\/\//.test(line)).length;

const methods = readdirSync(folder).filter(
  (name) => /^[a-z-]+\.ts$/.test(name) && sourceOf(name).includes('defineObjective('),
);

it('prints how long the methods are; logit pairing takes 22 lines at most, imports and all', () => {
  const counts = methods.map((name) => [name, linesOf(sourceOf(name))] as const).sort(([, a], [, b]) => a - b);
  console.log(counts.map(([name, count]) => `${String(count).padStart(4)}  ${name}`).join('\n'));
  expect(methods.length).toBeGreaterThan(30);
  const pairing = sourceOf('../../../examples/write-an-objective/logit-pairing.ts');
  expect(pairing.trim().split('\n').length).toBeLessThanOrEqual(22);
});

it.each(methods)('%s states nothing that follows from what its loss reads', (name) => {
  const source = sourceOf(name);
  // what a term reads is seen; nobody lists it
  expect(source.match(/\b(needs|reads)\s*:/g)).toBeNull();
  // the one override: ARoW regularizes examples without a label, although it reads y; two-neighbours hands on what its base says
  const allowed = { 'arow.ts': 1 }[name] ?? 0;
  expect(source.match(/\bover: '/g)?.length ?? 0).toBe(allowed);
});

/** Options without which a method cannot be made. */
const given: Readonly<Record<string, object>> = {
  'two-neighbours': { of: { use: 'mart' } },
  compose: { inner: { use: 'pgd' }, regularizer: { use: 'kl' } },
  hat: { helper: { use: 'small' } },
  ard: { teacher: { use: 'small' } },
  rslad: { teacher: { use: 'small' } },
  lbgat: { companion: { use: 'small' } },
};
const names = methods.flatMap((file) =>
  [...sourceOf(file).matchAll(/defineObjective\(\{\s*name: '([^']+)'/g)].map(([, name]) => name!),
);

it.each(names)('%s states its passes only where they are not those that the loss reads', (name) => {
  const objective = make('objective', { use: name, ...given[name] });
  const text = (passes: typeof objective.passes) =>
    passes.map(({ role, updatesStatistics }) => `${role} ${updatesStatistics}`);
  if (objective.states!.passes) expect(text(objective.passes)).not.toEqual(text(passesOf(objective)));
  else expect(text(objective.passes)).toEqual(text(passesOf(objective)));
  objective.dispose?.();
});
