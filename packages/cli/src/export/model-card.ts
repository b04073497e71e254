import {
  countOf,
  parameterCount,
  type DataSource,
  type EvaluationResult,
  type ModelFacts,
  type Network,
  type RunConfig,
} from '@bulwark/core';
import { multiplyAccumulates } from '@bulwark/core/network';
import type { Target } from '../evaluate/open-target.js';
import type { ImageLayout } from '@bulwark/models';
import { howToUse, type Usage } from './how-to-use.js';
import type { ExportForm } from './write-model.js';

/** An evaluation as a card states it. */
export interface CardEvaluation {
  readonly tier: string;
  /** False: attacks are missing, and the figures are upper bounds. */
  readonly complete: boolean;
  readonly images: number;
  readonly threat: EvaluationResult['threat'];
  readonly clean: { readonly accuracy: number; readonly interval: readonly [number, number] };
  readonly robust: { readonly accuracy: number; readonly interval: readonly [number, number] };
  readonly attacks: readonly { readonly label: string; readonly accuracy: number }[];
  /** What makes the figures less trustworthy. */
  readonly findings: readonly string[];
  readonly seed: number;
  /** How its passes rounded, where that was not float32 throughout. */
  readonly arithmetic?: string;
}

/** What a user of an exported model has to know, as plain JSON. */
export interface ModelCard {
  readonly format: 'bulwark-model-card';
  readonly version: 1;
  readonly name: string;
  readonly architecture: {
    readonly name: string;
    readonly spec: Readonly<Record<string, unknown>>;
    readonly parameters: number;
    readonly multiplyAccumulates?: number;
  };
  readonly input: {
    readonly shape: readonly number[];
    readonly range: readonly [0, 1];
    readonly layout: 'NHWC' | 'NCHW';
    /** What the network does to its input; null: nothing; absent: not known. */
    readonly normalize?: ModelFacts['normalize'];
  };
  /** What each framework has to do with images. */
  readonly usage: readonly Usage[];
  readonly output: { readonly kind: 'logits'; readonly classes: readonly string[] };
  readonly data: {
    readonly name: string;
    readonly train: number;
    readonly test: number;
    readonly notes: readonly string[];
    readonly spec: Readonly<Record<string, unknown>>;
  };
  readonly threat: { readonly norm: string; readonly epsilon: number };
  /** Absent for weights that were not trained here. */
  readonly training?: {
    readonly objective: Readonly<Record<string, unknown>>;
    readonly cite?: string;
    readonly seed: number;
    readonly engine: string;
    /** How it rounded, where that was not float32 throughout. */
    readonly arithmetic?: string;
    readonly versions: Readonly<Record<string, string>>;
    readonly config: RunConfig;
  };
  /** Which weights: a checkpoint of a run, or a file. */
  readonly weights: string;
  readonly evaluations: readonly CardEvaluation[];
  readonly files: readonly string[];
}

export const cardEvaluation = (result: EvaluationResult): CardEvaluation => ({
  tier: result.tier,
  complete: result.complete,
  images: result.data.count,
  threat: result.threat,
  clean: { accuracy: result.clean.accuracy, interval: result.clean.interval },
  robust: { accuracy: result.worst.accuracy, interval: result.worst.interval },
  attacks: result.attacks.map(({ label, accuracy }) => ({ label, accuracy })),
  findings: result.findings.map(({ what, meaning }) => `${what}: ${meaning}`),
  seed: result.seed,
  ...(result.arithmetic !== undefined && { arithmetic: result.arithmetic }),
});

const dataOf = (data: DataSource, config: RunConfig): ModelCard['data'] => ({
  name: data.name,
  train: countOf(data.train),
  test: countOf(data.test),
  notes: data.notes ?? [],
  spec: config.data,
});

/** The card of a model that was opened for export. */
export function modelCard(
  target: Target,
  about: Pick<ModelCard, 'evaluations' | 'files'> & {
    facts: ModelFacts;
    form: ExportForm;
    /** Of an ONNX model's images. */
    layout?: ImageLayout;
    versions?: Readonly<Record<string, string>>;
    engine?: string;
    arithmetic?: string;
  },
): ModelCard {
  const { model, data, config, registry, what } = target;
  const { facts, form, layout = 'nchw', versions, engine, arithmetic, evaluations, files } = about;
  const graph = 'graph' in model ? (model as Network).graph : undefined;
  const { cite } = registry.find('objective', config.objective.use);
  const { objective, seed } = config;
  return {
    format: 'bulwark-model-card',
    version: 1,
    name: config.name,
    architecture: {
      name: model.name,
      spec: facts.architecture ?? config.model,
      parameters: parameterCount(model),
      ...(graph && { multiplyAccumulates: multiplyAccumulates(graph) }),
    },
    input: {
      shape: model.inputShape,
      range: [0, 1],
      layout: form === 'onnx' && layout === 'nchw' ? 'NCHW' : 'NHWC',
      ...(facts.normalize !== undefined && { normalize: facts.normalize }),
    },
    usage: howToUse(facts, { form, layout, files }),
    output: { kind: 'logits', classes: data.classNames },
    data: dataOf(data, config),
    threat: facts.threat ?? config.threat,
    ...(versions &&
      engine && {
        training: {
          ...{ objective, ...(cite && { cite }), seed, engine, ...(arithmetic && { arithmetic }) },
          ...{ versions, config },
        },
      }),
    weights: what,
    evaluations,
    files,
  };
}
