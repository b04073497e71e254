import type { Repeats } from './sample.js';

/** What can be measured, in the order in which it is. */
export const benchParts = ['speed', 'gradients', 'training', 'growth', 'attacks', 'pipeline'] as const;
export type BenchPart = (typeof benchParts)[number];

export const benchMethods = ['at', 'trades', 'st'] as const;
export const benchModels = ['small-cnn', 'resnet18'] as const;
export type BenchModel = (typeof benchModels)[number];

/** All that decides what is measured; plain JSON. */
export interface BenchSettings {
  readonly quick: boolean;
  readonly parts: readonly BenchPart[];
  readonly models: readonly BenchModel[];
  /** Attack steps of one training step. */
  readonly steps: number;
  readonly batch: Readonly<Record<BenchModel, number>>;
  readonly repeats: Readonly<Record<'gradients' | 'training' | 'growth', Repeats>>;
  /** Seconds for the speed of matrix products and convolutions. */
  readonly speedSeconds: number;
  readonly pipelineSeconds: number;
  readonly attacks: {
    readonly images: number;
    /** Share of each stage's iterations (or queries) that is run; the rates are for all of them. */
    readonly share: number;
  };
}

const common = {
  parts: benchParts,
  models: benchModels,
  steps: 10,
} as const;

/** The settings whose numbers are compared between machines and versions. */
export const fullSettings: BenchSettings = {
  ...common,
  quick: false,
  batch: { 'small-cnn': 128, resnet18: 32 },
  repeats: {
    gradients: { runs: 20, seconds: 10 },
    training: { runs: 5, seconds: 60 },
    growth: { runs: 5, seconds: 10 },
  },
  speedSeconds: 5,
  pipelineSeconds: 2,
  attacks: { images: 250, share: 1 },
};

/** Everything once, at sizes that let two engines end within two minutes on two cores. */
export const quickSettings: BenchSettings = {
  ...common,
  quick: true,
  batch: { 'small-cnn': 128, resnet18: 4 },
  repeats: {
    gradients: { runs: 5, seconds: 1 },
    training: { runs: 3, seconds: 1 },
    growth: { runs: 3, seconds: 0.5 },
  },
  speedSeconds: 2,
  pipelineSeconds: 0.5,
  attacks: { images: 50, share: 0.05 },
};
