import * as tf from '../tensor/index.js';
import { useEngine, wrongNumbers, type Engine, type EngineSession } from '../engine/index.js';
import { BulwarkError } from '../errors.js';
import type { Plugin } from '../plugins/index.js';
import { contracts, promise, promiseNoLeak, type Contract } from './contract.js';
import { engineOf, type ContractOptions } from './fixture.js';
import { definitionContract } from './plugin-contract.js';

/** A session says everything that `doctor` and a run's first lines print. */
function promiseSession(session: EngineSession): void {
  const { backend, description, device, dtypes, threads, remarks } = session;
  promise(tf.getBackend() === backend, () => `the current backend is ${tf.getBackend()}, the session's ${backend}`);
  promise(Boolean(description && device), () => 'the session has no description or no device');
  promise(dtypes.includes('float32'), () => `float32 is not among ${dtypes.join(', ')}`);
  promise(threads === undefined || threads >= 1, () => `it says that it has ${threads} threads`);
  promise(
    remarks.every((remark) => remark.trim().length > 0),
    () => 'a remark is empty',
  );
}

/**
 * What an engine promises. On a machine where it does not work: that it says so, with reasons, before and instead of starting.
 * `options` are its own, as in a config.
 */
export function engineContract(plugin: Plugin<'engine'>, options: ContractOptions = {}): Contract[] {
  const engine = plugin as unknown as Engine;
  const request = { ...options.options, use: engine.name };
  const start = () => useEngine(request, { engines: [engine] });
  const failureOf = async (work: () => Promise<unknown>): Promise<unknown> => {
    try {
      await work();
      return undefined;
    } catch (error) {
      return error;
    }
  };
  const checks = {
    async 'says whether it works here, and why not, without starting'() {
      const before = tf.getBackend();
      const probe = await engine.probe();
      promise(tf.getBackend() === before, () => `probe made ${tf.getBackend()} the current backend`);
      const reasons = (probe.refusals ?? []).map(({ reason }) => reason);
      promise(
        reasons.every((reason) => /\w/.test(reason)),
        () => 'a refusal has no reason',
      );
      promise(probe.available || reasons.length > 0, () => 'it is not available and does not say why');
    },
    async 'starts with right numbers, or says why not and what to do'() {
      const error = await failureOf(start);
      if (error === undefined) {
        promiseSession(await engine.create(engine.options.parse(options.options ?? {})));
        return;
      }
      promise(error instanceof BulwarkError, () => `starting it gives ${String(error)} instead of a BulwarkError`);
      const { code, hint } = error as BulwarkError;
      promise(code === 'ENGINE_UNAVAILABLE' && Boolean(hint), () => `starting it gives ${code}, with the hint ${hint}`);
    },
    async 'computes what plain JavaScript does'() {
      if (engine.unchecked || (await failureOf(start))) return;
      const wrong = await wrongNumbers(tf.getBackend());
      promise(wrong === undefined, () => wrong!);
    },
    async 'leaves no tensor behind when it is started again'() {
      if (await failureOf(start)) return;
      await promiseNoLeak('starting', () => start().then(() => undefined));
    },
  };
  const definition = definitionContract(plugin as unknown as Plugin, options);
  return [
    // an engine's product is a process's backend, which the checks below start
    ...definition.filter(({ name }) => name !== 'writes nothing into its options'),
    ...contracts(engineOf(options), checks),
  ];
}
