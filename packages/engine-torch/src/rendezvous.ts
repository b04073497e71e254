import { BulwarkError, type Collective } from '@bulwark/core';
import { loadAddon } from './addon.js';
import type { Native } from './backend/native.js';
import { firstLine } from './device.js';
import { addonFile, usableBuilds } from './install/cache.js';
import { storeCollective } from './store-ranks.js';

/** Where the variables of torchrun say that the processes meet. */
export interface Meeting {
  readonly host: string;
  readonly port: number;
  /** Whether rank 0 has the store; torchrun has it itself. */
  readonly served: boolean;
  readonly prefix: string;
}

/** @throws BulwarkError USAGE, which all ranks throw alike */
export function meetingOf(env: NodeJS.ProcessEnv): Meeting {
  const { MASTER_ADDR: host, MASTER_PORT: text } = env;
  const port = Number(text);
  const wrong = !host
    ? 'MASTER_ADDR is not set'
    : !text
      ? 'MASTER_PORT is not set'
      : Number.isInteger(port) && port > 0 && port < 65536
        ? undefined
        : `MASTER_PORT is ${text}, no port`;
  if (wrong !== undefined)
    throw new BulwarkError('USAGE', `RANK and WORLD_SIZE say that this process is one of several, but ${wrong}`, {
      hint: 'set MASTER_ADDR and MASTER_PORT to a machine and a free port of rank 0, let torchrun set them, or unset RANK for a process that is alone',
    });
  const agent = env['TORCHELASTIC_USE_AGENT_STORE'] === 'True';
  return {
    host: host!,
    port,
    served: !agent,
    prefix: `bulwark/${env['TORCHELASTIC_RESTART_COUNT'] ?? 0}/`,
  };
}

/** The addon that the engine will take, too. */
function addon(): Native {
  const { found, reasons } = usableBuilds();
  const refusals = [...reasons];
  for (const build of found)
    try {
      return loadAddon(addonFile(build));
    } catch (error) {
      refusals.push(firstLine(error));
    }
  throw new BulwarkError(
    'ENGINE_UNAVAILABLE',
    `processes that torchrun starts speak over PyTorch, and there is no addon for it: ${refusals.join('; ') || 'none was installed'}`,
    { hint: 'run `bulwark engine install torch` on this machine, or start with mpirun, srun or --processes, over MPI' },
  );
}

/**
 * Joins the processes that torchrun has started, or whoever else sets RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT, over PyTorch's store.
 * @param options.seconds how long a rank may keep the others waiting
 * @throws BulwarkError ENGINE_UNAVAILABLE without the torch engine's addon, RANK_LOST where the ranks do not find each other, USAGE
 */
export function openStoreRanks(
  { rank, size }: { rank: number; size: number },
  { seconds }: { seconds: number },
): Collective {
  const { host, port, served, prefix } = meetingOf(process.env);
  const native = addon();
  const serves = served && rank === 0;
  const where = `${host}:${port}`;
  const lost = (what: string, cause?: unknown) =>
    new BulwarkError('RANK_LOST', what, {
      hint: 'see that MASTER_ADDR is the machine of rank 0, that all ranks can reach it, and that nothing else has MASTER_PORT',
      cause,
    });
  if (!native.storeOpen) throw lost('the PyTorch of the torch engine has no distributed training to meet by');
  const answers = () => {
    try {
      return native.storeOpen!(host, port, serves, seconds) === 1;
    } catch (error) {
      throw lost(`rank ${rank} does not find the others at ${where}: ${firstLine(error)}`, error);
    }
  };
  if (!answers()) throw lost(`rank ${rank} does not find the others: nothing answers at ${where} within ${seconds} s`);
  const keeper = served ? 'rank 0' : 'torchrun';
  return storeCollective(native, { rank, size, seconds, prefix, serves, keeper });
}
