import { describe, expect, it } from '@jest/globals';
import { parseAttacks, parseSpec } from './attack-specs.js';

describe('attacks on the command line', () => {
  it('are names, with options after colons', () => {
    expect(parseAttacks(['pgd', 'pgd:steps=50:stepSize=1/255:loss=margin:clipStart=true'])).toEqual([
      { use: 'pgd' },
      { use: 'pgd', steps: 50, stepSize: '1/255', loss: 'margin', clipStart: true },
    ]);
  });
  it('may be separated by commas, and take lists', () => {
    expect(
      parseAttacks(['fgsm,autoattack:version=custom:attacks=apgd-ce+square', 'autoattack:attacks=square']),
    ).toEqual([
      { use: 'fgsm' },
      { use: 'autoattack', version: 'custom', attacks: ['apgd-ce', 'square'] },
      { use: 'autoattack', attacks: ['square'] },
    ]);
  });
  it('refuses an option without a value', () => {
    expect(() => parseAttacks(['pgd:steps'])).toThrow(/not name:option=value/);
  });
  it.each(['pgd steps=50', 'pgd(steps=50)', '{ use: pgd }', 'steps=50', 'pgd@50'])(
    'says how options are written: %s',
    (text) => {
      expect(() => parseAttacks([text])).toThrow(
        expect.objectContaining({ code: 'USAGE', hint: expect.stringMatching(/^write pgd:steps=50/) }),
      );
    },
  );
});

it('a plugin on the command line may have nested options', () => {
  expect(parseSpec('fashion-mnist:validation=0:limit.train=100')).toEqual({
    use: 'fashion-mnist',
    validation: 0,
    limit: { train: 100 },
  });
  expect(() => parseSpec('mnist:limit')).toThrow('has no value');
});
