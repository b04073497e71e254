import { spawn } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { availableParallelism, cpus } from 'node:os';
import { createInterface } from 'node:readline';
import {
  checkLaunch,
  findMpiRun,
  mpiInstaller,
  openMpi,
  placeAmongRanks,
  type PlaceAmongRanks,
} from '@bulwark/collective-mpi';
import { BulwarkError, type Collective } from '@bulwark/core';
import { meetingOf, openStoreRanks } from '@bulwark/engine-torch';
import type { Command } from 'commander';
import { bulwarkCommand } from '../terminal/child.js';
import { addFlagRules } from '../terminal/flag-rules.js';
import { stoppedCode } from '../terminal/interrupt.js';
import { numberFlag } from '../terminal/number-flag.js';
import { setOwnRank } from '../terminal/ranks.js';

/** Flags of training by several processes. */
export interface RankFlags {
  readonly processes?: string;
  readonly rankTimeout: string;
  readonly seeds?: string;
  readonly dryRun?: boolean;
}

/** Adds them. */
export function addRankFlags(command: Command): void {
  command
    .option('--processes <n>', 'let so many processes of this machine share every batch (over MPI; docs/scaling.md)')
    .option('--rank-timeout <seconds>', 'how long one of several processes may keep the others waiting', '300');
  addFlagRules(command, { flags: ['processes'], excludes: ['seeds', 'dry-run'] });
}

/** Cores and GPUs of a machine, shared out among its ranks; what the user has set stays. */
function shareMachine({ localRank }: PlaceAmongRanks): void {
  const { env } = process;
  const neighbours = Number(
    env['OMPI_COMM_WORLD_LOCAL_SIZE'] ?? env['MPI_LOCALNRANKS'] ?? env['LOCAL_WORLD_SIZE'] ?? 1,
  );
  // who is bound to some of the cores sees only those
  const bound = availableParallelism() < cpus().length;
  const share = Math.max(1, Math.floor(availableParallelism() / (bound ? 1 : neighbours)));
  env['BULWARK_THREADS'] ??= env['SLURM_CPUS_PER_TASK'] ?? String(share);
  const folder = '/proc/driver/nvidia/gpus';
  const all = existsSync(folder) ? readdirSync(folder).map((_, i) => String(i)) : [];
  const gpus = env['CUDA_VISIBLE_DEVICES']?.split(',') ?? all;
  if (localRank !== undefined && gpus.length > 1) env['CUDA_VISIBLE_DEVICES'] = gpus[localRank % gpus.length];
}

/** Refuses a launch in which no rank can find the others, alike on all. @throws BulwarkError MPI_UNAVAILABLE, USAGE */
function checkMeeting(place: PlaceAmongRanks): void {
  if (place.launcher === 'torchrun') meetingOf(process.env);
  else checkLaunch(place);
}

/** Enters among the ranks of a launch that `checkMeeting` lets pass. */
function enter(place: PlaceAmongRanks, seconds: number): Collective {
  shareMachine(place);
  return place.launcher === 'torchrun' ? openStoreRanks(place, { seconds }) : openMpi(place, { seconds });
}

/**
 * Joins the processes that mpirun, srun or torchrun have started with this program, for `train`; undefined if it is alone. Once per process, before
 * an engine starts: cores and GPUs of the machine are shared out. Whoever joins calls `close` when all is done.
 * @param options how many `seconds` a rank may keep the others waiting; default 300
 * @throws BulwarkError MPI_UNAVAILABLE; ENGINE_UNAVAILABLE, where torchrun has started them and the torch engine is not installed; RANK_LOST
 */
export function openRanks({ seconds = 300 }: { seconds?: number } = {}): Collective | undefined {
  const place = placeAmongRanks();
  if (!place) return undefined;
  checkMeeting(place);
  return enter(place, seconds);
}

/**
 * Joins the processes that mpirun, srun, torchrun or `--processes` have started this command as; undefined for a process that is alone.
 * @throws BulwarkError MPI_UNAVAILABLE, USAGE
 */
export function joinRanks({ processes, rankTimeout, seeds, dryRun }: RankFlags): Collective | undefined {
  const seconds = numberFlag('rank-timeout', rankTimeout, { min: 1 });
  const place = placeAmongRanks();
  if (!place) return undefined;
  const { rank, size, launcher } = place;
  setOwnRank({ rank, alike: true });
  const other =
    processes !== undefined ? '--processes' : seeds !== undefined ? '--seeds' : dryRun ? '--dry-run' : undefined;
  if (other !== undefined)
    throw new BulwarkError(
      'USAGE',
      `${launcher} has started ${size} processes, which train one run; ${other} does not go with that`,
      {
        hint: `leave out ${other}, or ${launcher}`,
      },
    );
  checkMeeting(place);
  setOwnRank({ rank });
  const collective = enter(place, seconds);
  setOwnRank({ rank, collective });
  return collective;
}

/** Commands that would do all of their work in each process, and write the same files. */
const alone = new Set('analyze compare demo evaluate export pseudo-label report reproduce sweep'.split(' '));

/**
 * Holds commands that do not share their work to one process; parts of an evaluation (`--shard`) are for as many as there are.
 * @throws BulwarkError USAGE
 */
export function checkAlone(command: Command): void {
  let top = command;
  while (top.parent?.parent) top = top.parent;
  const place = alone.has(top.name()) ? placeAmongRanks() : undefined;
  if (!place || command.opts()['shard'] !== undefined) return;
  setOwnRank({ rank: place.rank, alike: true });
  throw new BulwarkError(
    'USAGE',
    `${place.launcher} has started ${place.size} processes, each of which would do all of ${top.name()}`,
    {
      hint: 'start one process; `evaluate --shards`, `sweep` and `reproduce` give their parts to jobs with --launcher',
    },
  );
}

/** The words of this command without `--processes`. */
function wordsOfRanks(): string[] {
  const words = process.argv.slice(2);
  const at = words.indexOf('--processes');
  return at >= 0 ? words.toSpliced(at, 2) : words.filter((word) => !word.startsWith('--processes='));
}

/** What mpirun says of how processes ended, between two lines of dashes; all else passes. */
function withoutRemarks(lines: AsyncIterable<string>, pass: (line: string) => void): Promise<string> {
  let within = false;
  let remarks = '';
  const read = async () => {
    for await (const line of lines) {
      if (/^-{60,}$/.test(line)) within = !within;
      else if (line.startsWith('mpirun: Forwarding signal')) continue;
      else if (within || line.includes('ORTE_ERROR_LOG')) remarks += `${line}\n`;
      else pass(line);
    }
    return remarks;
  };
  return read();
}

/** @throws BulwarkError RANK_LOST, if a process was killed; whatever else mpirun says of processes that have said nothing */
function explain(remarks: string, said: boolean): void {
  const killed = /process rank (\d+) with PID \d+ on node (\S+) exited on signal (\d+ \([^)]*\))/.exec(remarks);
  if (killed)
    throw new BulwarkError(
      'RANK_LOST',
      `rank ${killed[1]} on ${killed[2]} ended by signal ${killed[3]}, and all others with it`,
      {
        hint: 'go on from the last checkpoint: bulwark train --resume RUN',
      },
    );
  if (!said && remarks !== '') throw new BulwarkError('RANK_LOST', `mpirun: ${remarks.trim()}`);
}

/**
 * Gives this command to so many processes, with mpirun, and ends as they do.
 * @throws BulwarkError MPI_UNAVAILABLE, USAGE, RANK_LOST
 */
export async function startProcesses({ processes }: RankFlags): Promise<void> {
  const count = numberFlag('processes', processes!, { min: 1, integer: true });
  const mpirun = await findMpiRun();
  if (!mpirun)
    throw new BulwarkError('MPI_UNAVAILABLE', '--processes needs MPI, and there is no mpirun on this machine', {
      hint: 'install one (Debian, Ubuntu: `apt-get install openmpi-bin libopenmpi-dev`), then `bulwark engine install mpi`',
    });
  const build = mpiInstaller.installed();
  if (build.length === 0)
    throw new BulwarkError(
      'MPI_UNAVAILABLE',
      `--processes needs an addon for ${mpirun.version}, which is not installed`,
      {
        hint: 'run `bulwark engine install mpi`',
      },
    );
  const command = [...mpirun.flags, '-n', String(count), ...bulwarkCommand(), ...wordsOfRanks()];
  let stoppedBy: NodeJS.Signals | undefined;
  const pass = (signal: NodeJS.Signals) => {
    stoppedBy = signal;
    child.kill('SIGUSR2'); // which mpirun passes on; SIGTERM would let it end the ranks a second later
  };
  const signals = ['SIGINT', 'SIGTERM'] as const;
  signals.forEach((name) => process.on(name, pass));
  // in a group of its own: Ctrl-C reaches the ranks through this process, as a wish
  const child = spawn(mpirun.program, command, { stdio: ['inherit', 'inherit', 'pipe'], detached: true });
  let said = false;
  const remarks = withoutRemarks(createInterface({ input: child.stderr }), (line) => {
    said = true;
    process.stderr.write(`${line}\n`);
  });
  const code = await new Promise<number>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (status) => resolve(status ?? 1));
  });
  signals.forEach((name) => process.off(name, pass));
  process.exitCode = code === stoppedCode && stoppedBy === 'SIGINT' ? 130 : code;
  if (code !== 0 && code !== stoppedCode) explain(await remarks, said);
}
