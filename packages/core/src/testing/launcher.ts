import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Launcher, LaunchJob } from '../hooks/index.js';
import type { Plugin } from '../plugins/index.js';
import { contracts, promise, type Contract } from './contract.js';
import { engineOf, makePlugin, type ContractOptions } from './fixture.js';
import { definitionContract } from './plugin-contract.js';

/** What the contract of a launcher needs to know besides. */
export interface LauncherContractOptions extends ContractOptions {
  /** A folder that all places where jobs may run see; default: one for temporary files. */
  readonly folder?: string;
  /** How long a job of no work may take until it is gone, in seconds; default 60. */
  readonly patience?: number;
}

const pause = (seconds: number) => new Promise<void>((resolve) => setTimeout(resolve, 1000 * seconds));

/** Jobs that a launcher was given, with what has to be asked to know of them. */
function session(launcher: Launcher, folder: string, patience: number) {
  const handles = new Map<string, string>();
  const stateOf = async (id: string) => (await launcher.look([handles.get(id)!]))[0]!;
  return {
    handles,
    stateOf,
    job: (id: string, code: string): LaunchJob => ({
      id,
      command: [process.execPath, '-e', code],
      folder,
      log: join(folder, `${id}.log`),
    }),
    submit: (jobs: readonly LaunchJob[]) => launcher.submit(jobs, ({ id }, handle) => void handles.set(id, handle)),
    async until(what: string, reached: () => Promise<boolean>) {
      for (let waited = 0; !(await reached()); waited += 0.2) {
        promise(waited < patience, () => `${what} does not happen within ${patience} s`);
        await pause(0.2);
      }
    },
  };
}

/** What a launcher promises: it starts jobs, knows what became of them by handles that are plain text, and takes them away when asked. */
export function launcherContract(plugin: Plugin<'launcher'>, options: LauncherContractOptions = {}): Contract[] {
  const within = async (work: (given: ReturnType<typeof session>, folder: string) => Promise<void>) => {
    const folder = mkdtempSync(join(options.folder ?? tmpdir(), 'bulwark-launcher-'));
    try {
      await work(session(makePlugin(plugin, options), folder, options.patience ?? 60), folder);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  };
  const checks = {
    'runs jobs in their folder, with their output in their log'() {
      return within(async ({ job, submit, stateOf, until, handles }, folder) => {
        const jobs = [
          job('good', 'require("fs").writeFileSync("made", "1"); console.log("to the log")'),
          job('bad', 'console.error("said before the end"); process.exit(3)'),
        ];
        for (const each of jobs) {
          const { taken, refused } = await submit([each]);
          promise(taken === 1, () => `the job ${each.id} is not taken: ${refused}`);
          promise(handles.has(each.id), () => `${each.id} has no handle`);
          await until(`that ${each.id} is gone`, async () => (await stateOf(each.id)).state === 'gone');
        }
        promise(existsSync(join(folder, 'made')), () => 'a job was not run in its folder');
        const log = (id: string) => readFileSync(join(folder, `${id}.log`), 'utf8');
        promise(log('good').includes('to the log'), () => `the log of a job is ${JSON.stringify(log('good'))}`);
        promise(log('bad').includes('said before'), () => `the log of a failing job is ${JSON.stringify(log('bad'))}`);
      });
    },
    'lets another launcher of its kind look at a job and cancel it'() {
      return within(async ({ job, submit, stateOf, until, handles }, folder) => {
        const stay = 'require("fs").writeFileSync("began", ""); setTimeout(() => {}, 600000)';
        await submit([job('long', stay)]);
        await until('that a job begins', async () => existsSync(join(folder, 'began')));
        const { state } = await stateOf('long');
        promise(state === 'running', () => `a job at work is ${state}`);
        const other = makePlugin(plugin, options);
        await other.cancel([handles.get('long')!]);
        await until(
          'that a cancelled job is gone',
          async () => (await other.look([handles.get('long')!]))[0]!.state === 'gone',
        );
      });
    },
    async 'does not know a job that never was'() {
      await within(async ({ submit, job, handles, until, stateOf }) => {
        await submit([job('first', '')]);
        await until('that a job is gone', async () => (await stateOf('first')).state === 'gone');
        const later = await makePlugin(plugin, options).look([handles.get('first')!, handles.get('first')!]);
        promise(later.length === 2, () => `looking at 2 handles gives ${later.length} answers`);
        promise(
          later.every(({ state }) => state === 'gone'),
          () => 'a job of the past is not gone',
        );
      });
    },
    'says how many jobs it takes and how often it wants to be asked'() {
      const { capacity, pollSeconds, settleSeconds, description } = makePlugin(plugin, options);
      promise(capacity >= 1, () => `its capacity is ${capacity}`);
      promise(pollSeconds > 0 && settleSeconds >= 0, () => `it asks for ${pollSeconds} and ${settleSeconds} s`);
      promise(description.trim() !== '', () => 'it has no description');
    },
  };
  return [...definitionContract(plugin as unknown as Plugin, options), ...contracts(engineOf(options), checks)];
}
