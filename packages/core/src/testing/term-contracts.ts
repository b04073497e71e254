import type { Plugin } from '../plugins/index.js';
import { contracts, promise, promiseEqual, promiseNoLeak, type Contract } from './contract.js';
import { readsOf } from '../hooks/index.js';
import { classes, engineOf, imageShape, makePlugin, type ContractOptions } from './fixture.js';
import { definitionContract } from './plugin-contract.js';
import {
  checkedValues,
  promiseGradient,
  promiseReadsTargets,
  promiseZeroWithoutLabel,
  type PerExample,
} from './terms.js';

/** What a regularizer or a classification term is tried with. */
export interface TermContractOptions extends ContractOptions {
  /** The gradient leaves something out on purpose (a constant target, a constant weight): it is then not compared with differences. */
  readonly detached?: boolean;
}

function termContract(
  plugin: Plugin<'regularizer'> | Plugin<'classification'>,
  make: () => PerExample,
  options: TermContractOptions,
): Contract[] {
  return [
    ...definitionContract(plugin as unknown as Plugin, options),
    ...contracts(engineOf(options), {
      'gives one finite number per example, from the roles that it names only'() {
        checkedValues(make());
        checkedValues(make(), { labels: [1] });
      },
      'stays finite at extreme logits'() {
        checkedValues(make(), { scale: 40 });
      },
      'has the gradient that finite differences give'() {
        if (!options.detached) promiseGradient(make());
      },
      'takes examples without a label'() {
        if (plugin.kind === 'classification') promiseZeroWithoutLabel(make());
        else checkedValues(make(), { labels: [0, -1, 2, -1, 4, 0] });
      },
      'reads mixed and smoothed targets'() {
        if (plugin.kind === 'classification') promiseReadsTargets(make());
      },
      'gives the same numbers every time'() {
        promiseEqual(checkedValues(make()), checkedValues(make()), 'values of the second call');
      },
      'leaves no tensor behind'() {
        const term = make();
        return promiseNoLeak('the term', () => void checkedValues(term));
      },
    }),
  ];
}

/** What a regularizer promises: a finite, differentiable penalty per example. */
export function regularizerContract(plugin: Plugin<'regularizer'>, options: TermContractOptions = {}): Contract[] {
  const make = (): PerExample => {
    const values = makePlugin(plugin, options);
    const { roles } = readsOf({ weight: 1, values }, { classes, inputShape: imageShape });
    return { what: `the penalty ${plugin.name}`, needs: roles, values };
  };
  const own = contracts(engineOf(options), {
    'ties at least two points together'() {
      const { needs } = make();
      promise(
        new Set(needs).size >= 2,
        () => `it reads ${needs.join(', ') || 'nothing'}: a regularizer compares two points`,
      );
    },
  });
  return [...termContract(plugin, make, options), ...own];
}

/** What a classification term promises: a finite, differentiable loss per example, 0 where there is no label. */
export function classificationContract(
  plugin: Plugin<'classification'>,
  options: TermContractOptions = {},
): Contract[] {
  return termContract(
    plugin,
    () => {
      const values = makePlugin(plugin, options);
      const { roles } = readsOf({ weight: 1, values }, { classes, inputShape: imageShape });
      return { what: `the loss ${plugin.name}`, needs: roles, values };
    },
    options,
  );
}
