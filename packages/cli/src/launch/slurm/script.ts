import type { LaunchJob } from '@bulwark/core';

/** What jobs ask of Slurm; the options of the launcher `slurm`. */
export interface SlurmOptions {
  readonly partition?: string;
  readonly account?: string;
  readonly qos?: string;
  readonly time?: string | number;
  readonly cpus?: number;
  readonly memory?: string;
  readonly gpus?: number | string;
  readonly limit?: number;
  readonly modules: readonly string[];
  readonly setup: readonly string[];
  readonly arguments: readonly string[];
  readonly requeue: boolean;
  readonly grace: number;
  readonly settle: number;
}

/** A word as a shell takes it literally. */
export const quoted = (word: string): string => `'${word.replaceAll("'", "'\\''")}'`;

function directives(options: SlurmOptions, given: { name: string; count: number; output: string }): string[] {
  const { limit, requeue, grace } = options;
  const asked: [string, string | number | undefined][] = [
    ['job-name', given.name],
    ['array', `0-${given.count - 1}${limit === undefined ? '' : `%${limit}`}`],
    ['output', given.output],
    ['open-mode', 'append'],
    ['partition', options.partition],
    ['account', options.account],
    ['qos', options.qos],
    ['time', options.time],
    ['cpus-per-task', options.cpus],
    ['mem', options.memory],
    ['gres', options.gpus === undefined ? undefined : `gpu:${options.gpus}`],
    ['signal', `B:USR1@${grace}`],
  ];
  return [
    ...asked.flatMap(([name, value]) => (value === undefined ? [] : [`#SBATCH --${name}=${value}`])),
    `#SBATCH --${requeue ? 'requeue' : 'no-requeue'}`,
    ...options.arguments.map((argument) => `#SBATCH ${argument}`),
  ];
}

/**
 * The script of a job array, one job per task. USR1 comes before the time limit: the job saves what it has, and is queued again. TERM
 * is a cancellation or a preemption, of which Slurm knows itself whether to queue it again.
 */
export function arrayScript(
  jobs: readonly LaunchJob[],
  options: SlurmOptions,
  given: { name: string; output: string },
): string {
  const cases = jobs.map(
    ({ command, folder, log }, i) =>
      `${i}) folder=${quoted(folder)} log=${quoted(log)}; set -- ${command.map(quoted).join(' ')} ;;`,
  );
  return `#!/bin/bash
${directives(options, { ...given, count: jobs.length }).join('\n')}
# written by Bulwark: each task of the array is one job

${[...options.modules.map((module) => `module load ${quoted(module)}`), ...options.setup].join('\n')}
case $SLURM_ARRAY_TASK_ID in
${cases.join('\n')}
esac
cd "$folder" && : >> "$log" || { echo "$(hostname) cannot write $log: is its folder shared with this machine?" >&2; exit 66; }
[ -n "\${SLURM_CPUS_PER_TASK:-}" ] && export BULWARK_THREADS="$SLURM_CPUS_PER_TASK"

again=
"$@" >> "$log" 2>&1 &
child=$!
trap 'kill -TERM "$child" 2>/dev/null' TERM
trap 'again=1; kill -TERM "$child" 2>/dev/null' USR1
wait "$child"; code=$?
while kill -0 "$child" 2>/dev/null; do wait "$child"; code=$?; done
[ -n "$again" ] && [ "$code" = 75 ] && ${options.requeue ? 'scontrol requeue "${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID"' : 'true'}
exit "$code"
`;
}
