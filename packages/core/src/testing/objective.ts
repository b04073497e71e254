import { disposeBatch } from '../batch.js';
import type { Network } from '../classifier/index.js';
import {
  checkObjective,
  passesOf,
  type Crafted,
  type Objective,
  type Term,
  type WeightPerturber,
} from '../hooks/index.js';
import type { Plugin } from '../plugins/index.js';
import { createRandom } from '../random.js';
import {
  createSgd,
  disposeOutcome,
  restoreSnapshot,
  takeSnapshot,
  trainStep,
  type Snapshot,
} from '../trainer/index.js';
import { initialState } from '../trainer/snapshot.js';
import { contracts, numbers, promise, promiseEqual, promiseNoLeak, scratch, type Contract } from './contract.js';
import { craftChecks, valuesOf, withCrafted } from './craft.js';
import { craftContext, engineOf, fixtureBatch, fixtureNetwork, makePlugin, type ContractOptions } from './fixture.js';
import { definitionContract } from './plugin-contract.js';
import {
  checkedValues,
  promiseGradient,
  promiseReadsTargets,
  promiseZeroWithoutLabel,
  withTargets,
  type PerExample,
  type TargetForm,
} from './terms.js';

/** What an objective is tried with. */
export interface ObjectiveContractOptions extends ContractOptions {
  /** Its attack runs in `train` mode, and so moves the running statistics: the method says so. */
  readonly updatesStatistics?: boolean;
  /** Terms that hold something constant on purpose: their gradients are not compared with finite differences. */
  readonly detached?: readonly string[];
}

/** A short training on the fixture, one batch again and again. */
export interface Session {
  readonly model: Network;
  /** Makes steps and returns the loss of each, then frees what they made. */
  steps(count: number): number[][];
  /** Everything that a checkpoint holds. */
  snapshot(): Promise<Snapshot>;
  /** Goes on from a snapshot. */
  resume(snapshot: Snapshot): void;
  /** Frees model, batch and optimizer. */
  end(): void;
}

/** Opens a training of the fixture network with this objective. */
export function session(
  objective: Objective,
  options: ContractOptions,
  parts: {
    labels?: readonly number[];
    targets?: TargetForm;
    accumulate?: number;
    weightPerturber?: WeightPerturber;
  } = {},
): Session {
  const model = fixtureNetwork();
  const batch = withTargets(fixtureBatch(parts.labels), parts.targets);
  const optimizer = createSgd({ learningRate: 0.1, momentum: 0.9, weightDecay: 5e-4, nesterov: false });
  const holders = { model, optimizer, objective };
  let done = 0;
  return {
    model,
    steps: (count) =>
      Array.from({ length: count }, () => {
        // the first step is an epoch, all others are the second
        if (done === 1) objective.afterEpoch?.({ epoch: 0, epochs: 2, model });
        const context = craftContext(model, options, {
          random: createRandom(7, `attack/${done}`),
          epoch: Math.min(1, done),
        });
        done++;
        const outcome = trainStep(batch, {
          ...holders,
          weightPerturber: parts.weightPerturber,
          accumulate: parts.accumulate,
          learningRate: 0.1,
          context,
        });
        const values = numbers(outcome.loss.values);
        disposeOutcome(outcome);
        return values;
      }),
    snapshot: () => takeSnapshot({ ...initialState({ seed: 1 }), steps: done }, holders),
    /** Goes on from a snapshot. */
    resume(snapshot) {
      restoreSnapshot(snapshot, holders);
      done = snapshot.state.steps;
    },
    end() {
      disposeBatch(batch);
      model.dispose();
      optimizer.dispose();
      objective.dispose?.();
    },
  };
}

/** A term that looks at one point, and at nothing where there is no label, compares with labels, whether it reads `y` or not. */
const classifies = (term: Term, facts: NonNullable<Crafted['facts']>): boolean => {
  if (term.over === 'labelled') return true;
  if (term.needs.length !== 1) return false;
  const labels = [0, -1, 2, -1, 4, 0];
  const values = checkedValues(named(term), { facts, labels });
  return labels.every((label, i) => label < 0 === (values[i] === 0));
};

const named = ({ name, needs, values }: Term): PerExample => ({ what: `the term ${name}`, needs, values });

/** Each term with the facts that crafting gives. */
function eachTerm(
  objective: Objective,
  options: ContractOptions,
  use: (term: Term, facts: NonNullable<Crafted['facts']>) => void,
  labels?: readonly number[],
): void {
  withCrafted(
    objective.inner,
    options,
    ({ crafted }) => objective.terms.forEach((term) => use(term, crafted.facts ?? {})),
    { labels },
  );
}

/**
 * What an objective promises: a bundle that fits together, crafting that keeps to the ball, terms with the right gradient, steps that
 * leak nothing, and a training that goes on after a checkpoint as if it had not stopped.
 */
export function objectiveContract(plugin: Plugin<'objective'>, options: ObjectiveContractOptions = {}): Contract[] {
  const make = () => checkObjective(makePlugin(plugin, options), plugin.name);
  const unlabelled = [0, -1, 2, -1, 4, 0];
  const finite = (losses: number[][]) =>
    promise(losses.flat().every(Number.isFinite), () => `a step gives loss and terms ${losses.map(String).join('; ')}`);
  const train = (count: number, parts: Parameters<typeof session>[2] = {}) => {
    const run = session(make(), options, parts);
    const losses = run.steps(count);
    const weights = valuesOf(run.model.parameters);
    run.end();
    return { losses, weights };
  };

  const terms = {
    'fits together: every role that a pass or a term reads is made and passed'() {
      const { terms: all, passes } = make();
      promise(all.length > 0 && passes.length > 0, () => 'it has no term, or no outer pass');
      promise(new Set(all.map(({ name }) => name)).size === all.length, () => 'two terms have the same name');
    },
    'states nothing that follows from its loss'() {
      const objective = make();
      const { states = { passes: false, over: [] } } = objective;
      const text = (passes: Objective['passes']) =>
        passes.map(({ role, updatesStatistics }) => `${role}${updatesStatistics ? '' : ':batch'}`).join(', ');
      promise(
        !states.passes || 'passes' in (options.options ?? {}) || text(objective.passes) !== text(passesOf(objective)),
        () => `its passes ${text(objective.passes)} follow from its loss: leave them out`,
      );
    },
    'has terms that give one finite number per example, from the roles that they read'() {
      eachTerm(make(), options, (term, facts) => {
        checkedValues(named(term), { facts });
        checkedValues(named(term), { facts, scale: 40 });
      });
    },
    'has terms whose gradient is what finite differences give'() {
      eachTerm(
        make(),
        options,
        (term, facts) => options.detached?.includes(term.name) || promiseGradient(named(term), { facts }),
      );
    },
    'has classification terms that are 0 without a label'() {
      const objective = make();
      eachTerm(
        objective,
        options,
        (term, facts) => term.over === 'labelled' && promiseZeroWithoutLabel(named(term), { facts }),
        unlabelled,
      );
    },
  };

  const targets = {
    'has classification terms that read mixed and smoothed targets'() {
      eachTerm(
        make(),
        options,
        (term, facts) => classifies(term, facts) && promiseReadsTargets(named(term), { facts }),
        [0, 1, 2, 3, 4, 1],
      );
    },
  };

  const steps = {
    'trains on a batch of one, on one class only, and on examples without a label'() {
      for (const labels of [[1], [2, 2, 2, 2], unlabelled]) finite(train(1, { labels }).losses);
    },
    'trains on mixed and smoothed targets, also with examples without a label, and in parts'() {
      for (const targets of ['mixed', 'smoothed'] as const) finite(train(2, { targets, labels: unlabelled }).losses);
      finite(train(3, { targets: 'mixed', accumulate: 2 }).losses);
    },
    'moves the weights in a step'() {
      const run = session(make(), options);
      const before = valuesOf(run.model.parameters);
      finite(run.steps(1));
      const same = valuesOf(run.model.parameters).every((value, i) => value === before[i]);
      run.end();
      promise(!same, () => 'a step leaves all weights as they are');
    },
    'moves the running statistics only if one of its passes says so'() {
      const objective = make();
      const { passes, passesBefore = [], passesAfter = [] } = objective;
      const may =
        options.updatesStatistics ||
        passes.some((pass) => pass.updatesStatistics) ||
        passesBefore.length + passesAfter.length > 0;
      const run = session(objective, options);
      const before = valuesOf(run.model.statistics);
      run.steps(1);
      const after = valuesOf(run.model.statistics);
      run.end();
      if (!may) promiseEqual(after, before, 'the running statistics after a step');
      else
        promise(
          after.some((value, i) => value !== before[i]),
          () => 'its passes update running statistics, but a step leaves them',
        );
    },
    'gives the same losses and weights for the same seed, bit for bit'() {
      const [a, b] = [train(2), train(2)];
      promiseEqual(b.losses.flat(), a.losses.flat(), 'losses of a second training');
      promiseEqual(b.weights, a.weights, 'weights of a second training');
    },
    async 'goes on after a checkpoint as if it had not stopped, bit for bit'() {
      const first = session(make(), options);
      first.steps(2);
      const saved = await first.snapshot();
      const expected = first.steps(2).flat();
      const weights = valuesOf(first.model.parameters);
      first.end();
      const second = session(make(), options);
      second.resume(saved);
      const found = second.steps(2).flat();
      promiseEqual(
        found,
        expected,
        'losses after resuming; what the method carries from step to step belongs into objective.state',
      );
      promiseEqual(valuesOf(second.model.parameters), weights, 'weights after resuming');
      second.end();
    },
    'leaves no tensor behind in a step'() {
      const run = session(make(), options);
      run.steps(1);
      return promiseNoLeak('a step', () => void run.steps(1)).finally(() => run.end());
    },
    'keeps nothing on the tape: terms can be taken twice'() {
      eachTerm(make(), options, (term, facts) =>
        promiseEqual(
          scratch(() => checkedValues(named(term), { facts })),
          checkedValues(named(term), { facts }),
          `${term.name} taken twice`,
        ),
      );
    },
  };

  return [
    ...definitionContract(plugin as unknown as Plugin, options),
    ...contracts(engineOf(options), { ...craftChecks(() => make().inner, options), ...terms, ...targets, ...steps }),
  ];
}
