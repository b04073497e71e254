import { BulwarkError, type PluginSpec } from '@bulwark/core';
import { override } from '../config/override.js';

const value = (text: string): unknown => {
  if (/^-?\d+(\.\d+)?(e-?\d+)?$/i.test(text)) return Number(text);
  if (text === 'true' || text === 'false') return text === 'true';
  return text.includes('+') ? text.split('+') : text;
};

/** What people write instead: `pgd steps=50`, `pgd(steps=50)`, `{ use: pgd }`. */
function notAnAttack(text: string): BulwarkError {
  const [, name = 'pgd', option = 'steps=50'] =
    /^\W*(?:use\W+)?([a-z][\w-]*(?![\w=]))?[^\w=]*(\w+=[^\s)}]+)?/i.exec(text) ?? [];
  return new BulwarkError(
    'USAGE',
    `--attacks: ${JSON.stringify(text)} is not the name of an attack, with its options after colons`,
    {
      hint: `write ${name}:${option}; several attacks with blanks between them`,
    },
  );
}

/**
 * Attacks as written on the command line: a name, then options after colons; lists with `+`.
 * `pgd:steps=50:stepSize=1/255`, `autoattack:version=custom:attacks=apgd-ce+square`. A comma begins the next attack.
 * @throws BulwarkError USAGE
 */
export function parseAttacks(texts: readonly string[]): PluginSpec[] {
  return texts
    .flatMap((text) => text.split(','))
    .filter(Boolean)
    .map((text) => {
      const [use, ...options] = text.split(':');
      if (!/^[a-z][\w-]*$/i.test(use!)) throw notAnAttack(text);
      const entries = options.map((option) => {
        const [key, ...rest] = option.split('=');
        if (!use || !key || rest.length === 0)
          throw new BulwarkError('USAGE', `--attacks: ${JSON.stringify(text)} is not name:option=value`, {
            hint: 'write for example pgd:steps=50:restarts=2',
          });
        const given = rest.join('=');
        // a list option takes one name, too
        return [key, key === 'attacks' ? given.split('+') : value(given)] as const;
      });
      return { use: use!, ...Object.fromEntries(entries) };
    });
}

/**
 * A plugin with options, nested ones by dotted path: `fashion-mnist:validation=0:limit.train=100`. A colon that no `name=` follows belongs to
 * the value.
 * @throws BulwarkError USAGE
 */
export function parseSpec(text: string): PluginSpec {
  const [head, ...options] = text.split(/:(?=[\w.-]+=)/);
  const [use, ...valueless] = head!.split(':');
  return override({ use: use! }, [...valueless, ...options]) as PluginSpec;
}
