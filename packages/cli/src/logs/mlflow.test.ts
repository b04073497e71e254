import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { resumeRun } from '@bulwark/core';
import { contractOf } from '@bulwark/core/testing';
import { startTiny, temporaryFolder, testRegistry } from '../train/testing.js';
import { mlflow } from './mlflow.js';

interface Request {
  readonly path: string;
  readonly body: Record<string, unknown>;
  readonly authorization?: string;
}

let server: Server;
let uri: string;
let requests: Request[];
let broken: { after: number; status: number } | undefined;
const experiments = new Map<string, string>();

/** What a tracking server answers to the five calls that the callback makes. */
function answer(path: string, query: URLSearchParams, body: Record<string, unknown>): [number, unknown] {
  switch (path) {
    case 'experiments/get-by-name': {
      const id = experiments.get(query.get('experiment_name')!);
      if (id) return [200, { experiment: { experiment_id: id } }];
      return [404, { error_code: 'RESOURCE_DOES_NOT_EXIST', message: 'no such experiment' }];
    }
    case 'experiments/create':
      experiments.set(body['name'] as string, `${experiments.size + 1}`);
      return [200, { experiment_id: `${experiments.size}` }];
    case 'runs/create':
      return [200, { run: { info: { run_id: `run-${requests.length}` } } }];
    case 'runs/log-batch':
    case 'runs/update':
      return [200, {}];
    default:
      return [404, { error_code: 'ENDPOINT_NOT_FOUND' }];
  }
}

beforeAll(async () => {
  server = createServer((request, response) => {
    let text = '';
    request.on('data', (chunk) => (text += chunk));
    request.on('end', () => {
      const url = new URL(request.url!, uri);
      const path = url.pathname.replace('/api/2.0/mlflow/', '');
      const body = text ? (JSON.parse(text) as Record<string, unknown>) : {};
      const { authorization } = request.headers;
      requests.push({ path, body, ...(authorization && { authorization }) });
      const fails = broken && requests.length > broken.after;
      const [status, value] = fails
        ? [broken!.status, { message: 'out of order' }]
        : answer(path, url.searchParams, body);
      response.writeHead(status, fails && status === 302 ? { location: 'http://127.0.0.1:9/' } : {});
      response.end(JSON.stringify(value));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  uri = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => void server.close());

const environment = ['MLFLOW_TRACKING_URI', 'MLFLOW_TRACKING_TOKEN'] as const;
const clear = () => environment.forEach((name) => delete process.env[name]);
beforeEach(() => {
  [requests, broken] = [[], undefined];
  experiments.clear();
  clear();
});
afterEach(clear);

const logged = (over: Record<string, unknown> = {}) => ({ callbacks: [{ use: 'mlflow', uri, every: 1, ...over }] });

async function train(over: Record<string, unknown>) {
  const run = await startTiny(over);
  const warnings: string[] = [];
  run.bus.on('warning', ({ message }) => void warnings.push(message));
  const result = await run.train();
  run.dispose();
  return { ...result, warnings, folder: run.folder.path };
}

const metricsOf = () =>
  requests.flatMap(({ body }) => (body['metrics'] ?? []) as { key: string; value: number; step: number }[]);

describe('the callback mlflow', () => {
  it('creates experiment and run, logs options and numbers, and closes the run', async () => {
    const { history, summary } = await train(logged({ experiment: 'robust' }));
    expect(requests.map(({ path }) => path)).toEqual([
      'experiments/get-by-name',
      'experiments/create',
      'runs/create',
      ...requests.slice(3, -1).map(() => 'runs/log-batch'),
      'runs/update',
    ]);
    const params = requests.flatMap(({ body }) => (body['params'] ?? []) as { key: string; value: string }[]);
    expect(params).toContainEqual({ key: 'objective.inner.steps', value: '2' });
    expect(new Set(params.map(({ key }) => key)).size).toBe(params.length);
    const losses = metricsOf().filter(({ key }) => key === 'epoch/loss');
    expect(losses.map(({ step, value }) => [step, value])).toEqual(history.map(({ steps, loss }) => [steps, loss]));
    expect(metricsOf().filter(({ key }) => key === 'step/loss')).toHaveLength(6);
    expect(metricsOf().find(({ key }) => key === 'final/last.clean')!.value).toBe(summary!.last.accuracy!['clean']);
    expect(requests.at(-1)!.body).toMatchObject({ status: 'FINISHED' });
  });

  it('goes on in the same run after an interruption', async () => {
    const folder = join(temporaryFolder(), 'run');
    const run = await startTiny(logged(), folder);
    const stop = new AbortController();
    run.bus.on('step', ({ step }) => void (step === 2 && stop.abort()));
    await run.train(stop.signal);
    run.dispose();
    expect(requests.at(-1)!.body).toMatchObject({ status: 'KILLED' });
    const again = await resumeRun(folder, { registry: testRegistry() });
    await again.train();
    again.dispose();
    expect(requests.filter(({ path }) => path === 'runs/create')).toHaveLength(1);
    expect(new Set(requests.flatMap(({ body }) => body['run_id'] ?? [])).size).toBe(1);
    expect(requests.at(-1)!.body).toMatchObject({ status: 'FINISHED' });
  });

  it.each([500, 302])(
    'is switched off by a server that answers %i on the way, and the run computes the same',
    async (status) => {
      const plain = await train({});
      requests = [];
      broken = { after: 4, status };
      const { history, warnings } = await train(logged());
      expect(history).toEqual(plain.history);
      expect(warnings).toHaveLength(1);
      expect(warnings[0]).toMatch(/^callbacks\[0\] \(mlflow\) failed after epoch 1: mlflow: http.*switched off/);
      expect(requests).toHaveLength(5);
    },
  );

  it('ends the run at the start where nobody answers', async () => {
    await expect(train(logged({ uri: 'http://127.0.0.1:9' }))).rejects.toThrow(
      'callbacks[0] (mlflow) failed at the start: mlflow: http://127.0.0.1:9 does not answer',
    );
    await expect(train({ callbacks: ['mlflow'] })).rejects.toThrow('mlflow: there is no address');
  });

  it('gives credentials of the environment to the server of the environment, and to no other', async () => {
    process.env['MLFLOW_TRACKING_TOKEN'] = 'secret';
    process.env['MLFLOW_TRACKING_URI'] = 'http://tracking.example.org';
    await train(logged());
    expect(requests.filter(({ authorization }) => authorization)).toEqual([]);
    process.env['MLFLOW_TRACKING_URI'] = uri;
    requests = [];
    await train({ callbacks: ['mlflow'] });
    expect(new Set(requests.map(({ authorization }) => authorization))).toEqual(new Set(['Bearer secret']));
  });

  it('does not send to an address that only a run folder names', async () => {
    const folder = join(temporaryFolder(), 'run');
    const run = await startTiny({ callbacks: [{ use: 'mlflow', uri: 'http://tracking.example.org' }] }, folder);
    run.dispose(); // composed, nothing sent yet
    const again = await resumeRun(folder, { registry: testRegistry() });
    await expect(again.train()).rejects.toThrow('nothing says that this is your server');
    again.dispose();
  });

  it.each(['ftp://host', 'localhost:5000', 'http://name:word@host', ''])('refuses the address %j', async (address) => {
    await expect(startTiny(logged({ uri: address }))).rejects.toThrow('mlflow: uri is');
  });

  it('keeps the contract of callbacks', async () => {
    for (const { run } of contractOf(mlflow, { options: { uri }, refused: [{ every: -1 }, { timeout: 0 }] }))
      await run();
  });
});
