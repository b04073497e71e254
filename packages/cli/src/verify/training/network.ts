import { createNetwork, createRandom, networkGraph, type ImageShape, type Network } from '@bulwark/core';
import * as tf from '@tensorflow/tfjs-core';
import { field, malformed, objectField, toTensor, type Golden } from '../golden.js';

/** A network of a golden case, with the names that the case uses for its variables. */
export interface GoldenNetwork {
  readonly network: Network;
  /** Golden name to name in the network: `conv1.kernel` to `conv1.weight`. */
  readonly parameterNames: ReadonlyMap<string, string>;
  /** `bn1.movingMean` to `bn1.running_mean`. */
  readonly statisticNames: ReadonlyMap<string, string>;
}

const patterns = {
  flatten: /^flatten\(h,w,c\)$/,
  relu: /^relu$/,
  pool: /^global(?:Avg|Average)Pool$/,
  batchNorm: /^(bn\w*)$/,
  linear: /^(\w+)(?: (\d+)->(\d+))? \+bias$/,
  conv: /^(\w+) (\d+)x\2 (\d+)->(\d+) stride(\d+) pad(\d+)\(sym\) (nobias|\+bias)$/,
};

/** Builds the network that `net.layers` spells out, layer by layer. */
function build(net: Golden): GoldenNetwork {
  const parameters = new Map<string, string>();
  const statistics = new Map<string, string>();
  const layers = field(net, 'layers') as string[];
  const expect = (name: string, value: number) => {
    if (name in net && net[name] !== value)
      throw malformed(`net.${name} is ${String(net[name])}; only ${value} can be run`);
  };
  expect('bnEpsilon', 1e-5);
  expect('bnMomentumTorch', 0.1);
  const graph = networkGraph(field(net, 'inputShape') as unknown as ImageShape, (g) => {
    let x = g.input;
    for (const layer of layers) {
      const match = (name: keyof typeof patterns) => patterns[name].exec(layer);
      const [linear, conv, batchNorm] = [match('linear'), match('conv'), match('batchNorm')];
      if (match('flatten')) x = g.flatten(x);
      else if (match('relu')) x = g.relu(x);
      else if (match('pool')) x = g.globalAveragePool(x);
      else if (linear) {
        // some files leave the widths of the last layer out
        x = g.linear(linear[1]!, x, { units: Number(linear[3] ?? field(net, 'numClasses')) });
        parameters.set(`${linear[1]}.kernel`, `${linear[1]}.weight`).set(`${linear[1]}.bias`, `${linear[1]}.bias`);
      } else if (conv) {
        const [kernel, filters, stride, padding] = [2, 4, 5, 6].map((i) => Number(conv[i]));
        const bias = conv[7] === '+bias';
        x = g.conv(conv[1]!, x, { kernel: kernel!, filters: filters!, stride, padding, bias });
        parameters.set(`${conv[1]}.kernel`, `${conv[1]}.weight`);
        if (bias) parameters.set(`${conv[1]}.bias`, `${conv[1]}.bias`);
      } else if (batchNorm) {
        const name = batchNorm[1]!;
        x = g.batchNorm(name, x);
        parameters.set(`${name}.gamma`, `${name}.weight`).set(`${name}.beta`, `${name}.bias`);
        statistics
          .set(`${name}.movingMean`, `${name}.running_mean`)
          .set(`${name}.movingVariance`, `${name}.running_var`);
      } else throw malformed(`net.layers has ${JSON.stringify(layer)}, which is not a known layer`);
    }
    return x;
  });
  const network = createNetwork(graph, { name: String(net['arch'] ?? 'golden'), random: createRandom(0) });
  return { network, parameterNames: parameters, statisticNames: statistics };
}

function assignAll(
  variables: ReadonlyMap<string, tf.Variable>,
  names: ReadonlyMap<string, string>,
  values: Golden,
): void {
  for (const name of Object.keys(values)) if (!names.has(name)) throw malformed(`${name} belongs to no layer`);
  for (const [golden, own] of names)
    tf.tidy(() => {
      const value = toTensor(field(values, golden), golden);
      const variable = variables.get(own)!;
      if (value.shape.join() !== variable.shape.join())
        throw malformed(`${golden} has shape [${value.shape}]; the layer needs [${variable.shape}]`);
      variable.assign(value);
    });
}

/** A network with given weights and running statistics. */
export function networkWith(net: Golden, values: { parameters: Golden; statistics: Golden }): GoldenNetwork {
  const made = build(net);
  assignAll(made.network.parameters, made.parameterNames, values.parameters);
  assignAll(made.network.statistics, made.statisticNames, values.statistics);
  return made;
}

/** The case's network at its start: weights `params0`, running statistics `bnState0`. */
export const goldenNetwork = (json: Golden): GoldenNetwork =>
  networkWith(objectField(json, 'net'), {
    parameters: objectField(json, 'params0'),
    statistics: objectField(json, 'bnState0'),
  });

/** The second network of a case, if it has one: a helper of the same form, or a teacher of its own. */
export function secondNetwork(json: Golden): GoldenNetwork | undefined {
  if ('teacher' in json) return goldenNetwork(objectField(json, 'teacher'));
  if (!('helper' in json)) return undefined;
  const helper = objectField(json, 'helper');
  return networkWith(objectField(json, 'net'), {
    parameters: objectField(helper, 'params'),
    statistics: objectField(helper, 'bnState'),
  });
}
