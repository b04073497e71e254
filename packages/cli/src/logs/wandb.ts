import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { join, resolve } from 'node:path';
import { BulwarkError, defineCallback, integer, number, type Callback } from '@bulwark/core';
import { readIfThere, writeAtomically } from '@bulwark/core/files';
import { z } from 'zod';
import { epochScalars, stepScalars } from './scalars.js';

/**
 * What Python does: one JSON line in, one JSON line out. Weights & Biases documents its client, not the files that it writes, so its client
 * writes them.
 */
const helper = `
import sys
sys.path = [place for place in sys.path if place]  # nothing of the working folder
import json
answers = sys.stdout
sys.stdout = sys.stderr
run = None
for line in sys.stdin:
    call = json.loads(line)
    try:
        if call["do"] == "init":
            import wandb
            run = wandb.init(resume="allow", **call["with"])
        elif call["do"] == "log":
            for row in call["rows"]:
                run.log(row["values"], step=row["step"])
        elif call["do"] == "finish":
            run.summary.update(call["summary"])
            run.finish(exit_code=call["code"])
        answer = {"id": getattr(run, "id", None)}
    except BaseException as error:
        answer = {"error": type(error).__name__ + ": " + str(error)}
    answers.write(json.dumps(answer) + "\\n")
    answers.flush()
`;

interface Answer {
  readonly id?: string;
  readonly error?: string;
}

const fail = (what: string, hint: string): never => {
  throw new BulwarkError('CALLBACK_FAILED', `wandb: ${what}`, { hint });
};

const install = 'install it: python3 -m pip install wandb (BULWARK_PYTHON names another Python)';

/** The client in a process of its own; calls are answered in order. */
function openClient(timeout: number) {
  // the user's Python, never one that a config names
  const python = process.env['BULWARK_PYTHON'] || 'python3';
  const child: ChildProcessWithoutNullStreams = spawn(python, ['-c', helper], { env: process.env });
  let [text, said] = ['', ''];
  let waiting: ((answer: Answer) => void) | undefined;
  const settle = (answer: Answer) => {
    waiting?.(answer);
    waiting = undefined;
  };
  child.stdout.on('data', (chunk: Buffer) => {
    text += chunk.toString();
    for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n')) {
      settle(JSON.parse(text.slice(0, end)) as Answer);
      text = text.slice(end + 1);
    }
  });
  child.stderr.on('data', (chunk: Buffer) => void (said = `${said}${chunk.toString()}`.slice(-2000)));
  child.stdin.on('error', () => undefined); // told by its end
  child.on('error', (error) => settle({ error: `${python} does not start: ${error.message}` }));
  child.on('close', (code) =>
    settle({ error: `${python} ended with ${code}: ${said.trim().split('\n').at(-1) ?? ''}` }),
  );
  return {
    async ask(call: object): Promise<Answer> {
      const late = AbortSignal.timeout(1000 * timeout);
      const answer = await new Promise<Answer>((resolve) => {
        waiting = resolve;
        late.addEventListener('abort', () => settle({ error: `no answer within ${timeout} s` }));
        if (child.exitCode !== null) settle({ error: 'its process has ended' });
        else child.stdin.write(`${JSON.stringify(call)}\n`);
      });
      if (answer.error === undefined) return answer;
      child.kill();
      return fail(
        answer.error,
        /ModuleNotFound|does not start/.test(answer.error) ? install : "see W&B's log in the run folder",
      );
    },
    close: () => child.stdin.end(),
  };
}

function logger(options: { project: string; mode: string; every: number; timeout: number }): Callback {
  const { project, mode, every, timeout } = options;
  let client: ReturnType<typeof openClient> | undefined;
  let rows: { step: number; values: Readonly<Record<string, number>> }[] = [];
  const add = (step: number, values: Readonly<Record<string, number>>) => {
    // JSON has no NaN
    rows.push({
      step,
      values: Object.fromEntries(Object.entries(values).filter(([, value]) => Number.isFinite(value))),
    });
  };
  const flush = async () => {
    const sent = rows;
    rows = [];
    if (sent.length > 0) await client!.ask({ do: 'log', rows: sent });
  };
  return {
    async start({ folder, name, config }) {
      const file = join(folder, 'wandb.json');
      const known = readIfThere(file);
      const id = known && (JSON.parse(known.toString('utf8')) as { id: string }).id;
      client = openClient(timeout);
      const answer = await client.ask({
        do: 'init',
        with: { project, mode, name, config, dir: resolve(folder), ...(id && { id }) },
      });
      writeAtomically(file, `${JSON.stringify({ id: answer.id })}\n`);
    },
    async step(seen) {
      if (every === 0 || seen.position % every !== 0) return;
      add(seen.position, stepScalars(seen));
    },
    async epoch({ metrics }) {
      add(metrics.steps, epochScalars(metrics));
      await flush();
    },
    async end({ reason, summary }) {
      if (!client) return;
      await flush();
      const figures = (['best', 'last'] as const).flatMap((at) =>
        Object.entries(summary?.[at]?.accuracy ?? {}).map(([attack, value]) => [`final/${at}.${attack}`, value]),
      );
      await client.ask({ do: 'finish', summary: Object.fromEntries(figures), code: reason === 'failed' ? 1 : 0 });
      client.close();
    },
  };
}

/** Weights & Biases, through its own Python client. */
export const wandb = defineCallback({
  name: 'wandb',
  summary: 'Logs to Weights & Biases through its own Python client, offline unless told otherwise.',
  options: {
    project: z.string().min(1).default('bulwark').describe('name of the project'),
    mode: z
      .enum(['offline', 'online'])
      .default('offline')
      .describe('offline writes files for `wandb sync`; online sends them as its client is set up'),
    every: integer({ min: 0 }).default(10).describe('log every n-th step; 0 for epochs only'),
    timeout: number({ above: 0 }).default(120).describe('longest wait for its client, in seconds'),
  },
  create: logger,
});
