import type { EngineSession } from '../engine.js';
import { noteOf } from '../notes.js';

/** All that an engine's numbers may depend on and that we can know. */
const noteFor = (name: string, { description, device, dtypes, threads }: EngineSession) =>
  noteOf('numerics', { engine: { name, description, device, dtypes, threads } });

/** Whether this engine has computed right numbers on this machine before. */
export const isKnownRight = (name: string, session: EngineSession): boolean =>
  noteFor(name, session).read() === 'right';

/** Notes that it did. */
export const rememberRight = (name: string, session: EngineSession): void => noteFor(name, session).write('right');
