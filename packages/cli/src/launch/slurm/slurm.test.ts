import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { temporaryFolder } from '../../train/testing.js';
import { runJobs } from '../run-jobs.js';
import { firstLine, isFull, slurm } from './commands.js';
import { arrayScript, quoted, type SlurmOptions } from './script.js';
import { slurmLauncher } from './launcher.js';

const options = (given: object = {}) => slurmLauncher.options.parse(given) as unknown as SlurmOptions;
const job = (id: string, folder: string, command: readonly string[]) => ({
  ...{ id, folder, command },
  log: join(folder, `${id}.log`),
});

describe('the script of a job array', () => {
  it('asks for what the options say, and for nothing else', () => {
    const text = arrayScript(
      [job('a', '/f', ['node', 'x'])],
      options({
        partition: 'gpu',
        time: '1-12:00:00',
        cpus: 4,
        memory: '16G',
        gpus: 'a100:2',
        limit: 3,
        modules: ['cuda/12'],
        setup: ['export A=1'],
        arguments: ['--constraint=v100'],
      }),
      { name: 'n', output: '/f/%a.out' },
    );
    const asked = text.split('\n').filter((line) => line.startsWith('#SBATCH'));
    expect(asked).toEqual([
      '#SBATCH --job-name=n',
      '#SBATCH --array=0-0%3',
      '#SBATCH --output=/f/%a.out',
      '#SBATCH --open-mode=append',
      '#SBATCH --partition=gpu',
      '#SBATCH --time=1-12:00:00',
      '#SBATCH --cpus-per-task=4',
      '#SBATCH --mem=16G',
      '#SBATCH --gres=gpu:a100:2',
      '#SBATCH --signal=B:USR1@120',
      '#SBATCH --requeue',
      '#SBATCH --constraint=v100',
    ]);
    expect(text).toContain("module load 'cuda/12'\nexport A=1\n");
  });

  /** Runs one task as Slurm would, with commands of Slurm that write down how they are called. */
  const runTask = (jobs: readonly ReturnType<typeof job>[], task: number, given: object = {}, signal?: string) => {
    const folder = temporaryFolder();
    mkdirSync(join(folder, 'bin'));
    writeFileSync(join(folder, 'bin/scontrol'), `#!/bin/sh\necho "$@" >> ${folder}/scontrol\n`);
    chmodSync(join(folder, 'bin/scontrol'), 0o755);
    const script = join(folder, 'job.sh');
    writeFileSync(script, arrayScript(jobs, options(given), { name: 'n', output: '/dev/null' }));
    const began = join(jobs[task]!.folder, 'began');
    const send = signal
      ? `bash ${script} & until [ -e ${began} ]; do sleep 0.1; done; kill -${signal} $!; wait $!`
      : `exec bash ${script}`;
    const { status, stderr } = spawnSync('bash', ['-c', send], {
      encoding: 'utf8',
      env: {
        ...process.env,
        PATH: `${folder}/bin:${process.env['PATH']}`,
        SLURM_ARRAY_TASK_ID: String(task),
        SLURM_ARRAY_JOB_ID: '7',
      },
    });
    const called = join(folder, 'scontrol');
    return { status, stderr, requeued: existsSync(called) ? readFileSync(called, 'utf8').trim() : '' };
  };

  it('runs the job of its task, words taken literally, and ends with its exit code', () => {
    const folder = join(temporaryFolder(), "it's $HOME; here");
    mkdirSync(folder);
    const jobs = [
      job('zero', folder, ['false']),
      job('one', folder, [
        process.execPath,
        '-e',
        'console.log(process.argv[1], process.cwd()); process.exit(4)',
        `"quoted" 'words' $(id) \\`,
      ]),
    ];
    expect(runTask(jobs, 1)).toMatchObject({ status: 4, requeued: '' });
    expect(readFileSync(jobs[1]!.log, 'utf8')).toBe(`"quoted" 'words' $(id) \\ ${folder}\n`);
    expect(runTask(jobs, 0)).toMatchObject({ status: 1 });
  });

  const saving = `process.on('SIGTERM', () => process.exit(75)); require('fs').writeFileSync('began', ''); setTimeout(() => {}, 20000)`;
  it.each([
    ['before its time limit saves, and is queued again', 'USR1', {}, 'requeue 7_0'],
    ['that is cancelled saves, and is not', 'TERM', {}, ''],
    ['is not queued again where that is not wanted', 'USR1', { requeue: false }, ''],
  ])('a job %s', (_name, signal, given, requeued) => {
    const folder = temporaryFolder();
    expect(runTask([job('a', folder, [process.execPath, '-e', saving])], 0, given, signal)).toMatchObject({
      status: 75,
      requeued,
    });
  });

  it('says so where the folder is not shared', () => {
    const { status, stderr } = runTask([job('a', '/no/such/folder', ['true'])], 0);
    expect(status).toBe(66);
    expect(stderr).toContain('cannot write /no/such/folder/a.log: is its folder shared with this machine?');
  });
});

describe('what sbatch says', () => {
  const said = (error: string) => ({ code: 1, out: '', error });
  it.each([
    ['sbatch: error: Slurm temporarily unable to accept job, sleeping and retrying', true],
    [
      "sbatch: error: QOSMaxSubmitJobPerUserLimit\nsbatch: error: Batch job submission failed: Job violates accounting/QOS policy (job submit limit, user's size and/or time limits)",
      true,
    ],
    [
      'sbatch: error: Batch job submission failed: Requested time limit is invalid (missing or exceeds some limit)',
      false,
    ],
    [
      'sbatch: error: invalid partition specified: nope\nsbatch: error: Batch job submission failed: Invalid partition name specified',
      false,
    ],
  ])('%s', (text, full) => {
    expect(isFull(said(text))).toBe(full);
    expect(firstLine(said(text))).not.toMatch(/^sbatch/);
  });
});

it('asks the Slurm that SLURM_CONF names, and takes nothing over from a job that it is in itself', async () => {
  const { PATH } = process.env;
  const bin = temporaryFolder();
  writeFileSync(join(bin, 'scontrol'), '#!/bin/sh\necho "$SLURM_CONF $SLURM_JOB_ID $SBATCH_PARTITION"\n');
  chmodSync(join(bin, 'scontrol'), 0o755);
  Object.assign(process.env, {
    PATH: `${bin}:${PATH}`,
    SLURM_CONF: '/own/slurm.conf',
    SLURM_JOB_ID: '7',
    SBATCH_PARTITION: 'x',
  });
  try {
    expect((await slurm('scontrol')).out.trim()).toBe('/own/slurm.conf');
  } finally {
    for (const name of ['SLURM_CONF', 'SLURM_JOB_ID', 'SBATCH_PARTITION']) delete process.env[name];
    process.env['PATH'] = PATH;
  }
});

describe('a Slurm that does not work', () => {
  /** Commands of Slurm of which sbatch fails with this message. */
  const withCommands = async (message: string | undefined, work: () => Promise<unknown>) => {
    const bin = temporaryFolder();
    for (const name of message === undefined ? [] : ['sbatch', 'squeue', 'scontrol']) {
      const fails = name === 'sbatch' ? `printf '%s\\n' ${quoted(message!)} >&2; exit 1` : 'exit 0';
      writeFileSync(join(bin, name), `#!/bin/sh\n${fails}\n`);
      chmodSync(join(bin, name), 0o755);
    }
    const { PATH } = process.env;
    process.env['PATH'] = `${bin}:/nowhere`;
    try {
      return await work();
    } finally {
      process.env['PATH'] = PATH;
    }
  };

  it.each([
    ['is not there', undefined, 'there is no scontrol on this machine'],
    [
      'does not answer',
      'sbatch: error: Batch job submission failed: Unable to contact slurm controller (connect failure)',
      'Slurm does not answer: Batch job submission failed: Unable to contact',
    ],
    ['has another time', 'sbatch: error: Munge encode failed: Rewound credential', 'its clock differs'],
    [
      'has a full queue',
      "sbatch: error: Batch job submission failed: Job violates accounting/QOS policy (job submit limit, user's size)",
      'Slurm takes no more jobs now: Batch job submission failed: Job violates',
    ],
    [
      'has no such partition',
      'sbatch: error: Batch job submission failed: Invalid partition name specified',
      'sbatch refuses the jobs: Batch job submission failed: Invalid partition',
    ],
  ])('and %s gives one clear message', async (_name, said, message) => {
    const launcher = slurmLauncher.create(slurmLauncher.options.parse({}), {} as never);
    const done = { id: 'a', steps: [], finished: () => false };
    const lines: string[] = [];
    const output = {
      json: false,
      line: () => undefined,
      result: () => undefined,
      warn: (text: string) => void lines.push(text),
    };
    const launch = { launcher, name: 'slurm', open: () => launcher, root: temporaryFolder(), output, retries: 0 };
    const { signal } = new AbortController();
    await withCommands(said, () => expect(runJobs([done], { ...launch, signal })).rejects.toThrow(message));
    expect(lines).toEqual([]);
  });
});
