import { BulwarkError } from '../../errors.js';
import { cpu } from '../cpu/engine.js';
import type { Engine, EngineSession } from '../engine.js';
import { wrongNumbers } from './compare.js';
import { isKnownRight, rememberRight } from './remember.js';

/**
 * Compares an engine that is current with plain JavaScript, the first time that it computes on this machine.
 * @throws BulwarkError ENGINE_NUMERICS
 */
export async function requireRightNumbers(engine: Engine, session: EngineSession): Promise<void> {
  const { name, unchecked } = engine;
  if (engine === cpu || unchecked || isKnownRight(name, session)) return;
  const wrong = await wrongNumbers(session.backend);
  if (wrong)
    throw new BulwarkError(
      'ENGINE_NUMERICS',
      `engine ${name} (${session.description}) computes wrong numbers: ${wrong}`,
      {
        hint: 'use another engine; `bulwark doctor` says which works',
      },
    );
  rememberRight(name, session);
}
