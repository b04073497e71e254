import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { mulberry32, randomFrom, type NetworkGraph, type StoredTensor } from '@bulwark/core';
import { stateDictEntries } from './weights/layout.js';

const fixture = (name: string) => fileURLToPath(new URL(`../fixtures/${name}`, import.meta.url));

/** Path of a weights file that the official PyTorch code wrote: `resnet18_w6.safetensors`, for example. */
export const goldenWeights = (name: string): string => fixture(`${name}.safetensors`);

/** Numbers that the official PyTorch models produced, from `fixtures/<name>.json.gz`. */
export function readModelGolden<T>(name: string): T {
  return JSON.parse(gunzipSync(readFileSync(fixture(`${name}.json.gz`))).toString()) as T;
}

/** A tiny network of the official code: four images, logits and gradients in both modes, running statistics. */
export interface TinyGolden {
  readonly images_uint8: { readonly shape: number[]; readonly data: number[] };
  readonly logits_eval: number[][];
  readonly logits_train: number[][];
  readonly labels_for_gradient: number[];
  readonly input_gradient_eval_sum: number[];
  readonly input_gradient_eval_l1: number[];
  readonly input_gradient_eval_first_image_row0: { readonly data: number[] };
  readonly train_loss_mean_ce: number;
  readonly param_grad_l2_train: Readonly<Record<string, number | null>>;
  readonly running_stats_after_one_train_forward: Readonly<Record<string, { mean: number[]; var: number[] }>>;
}

/** A full-size network whose weights both sides draw from one stream. */
export interface ProceduralGolden {
  readonly model: string;
  readonly num_classes: number;
  readonly weight_seed: number;
  readonly n_images: number;
  readonly draws: number;
  readonly spot_checks: Readonly<Record<string, { first: number[]; sum: number }>>;
  readonly logits_eval: number[][];
  readonly logits_train: number[][];
}

/** The rule by which a procedural tensor is made of uniforms. */
function rule(name: string, shape: readonly number[]): (u: number) => number {
  if (name.endsWith('running_var')) return (u) => 0.5 + 0.5 * u;
  if (name.endsWith('running_mean') || name.endsWith('bias')) return (u) => 0.2 * (2 * u - 1);
  if (shape.length === 1) return (u) => 0.5 + 0.6 * u;
  const fanIn = shape.slice(1).reduce((size, n) => size * n, 1);
  const bound = Math.sqrt((shape.length === 4 ? 6 : 3) / fanIn);
  return (u) => (2 * u - 1) * bound;
}

/** The state dict that `procedural.json` describes, and how many uniforms it took. */
export function proceduralWeights(
  graph: NetworkGraph,
  seed: number,
): { tensors: Map<string, StoredTensor>; draws: number } {
  const random = randomFrom(mulberry32(seed));
  const tensors = new Map<string, StoredTensor>();
  let draws = 0;
  for (const { name, layout, kind } of stateDictEntries(graph)) {
    if (kind === 'counter') continue;
    const value = rule(name, layout.shape);
    const data = new Float32Array(layout.shape.reduce((size, n) => size * n, 1));
    for (let i = 0; i < data.length; i++) data[i] = value(random.next());
    draws += data.length;
    tensors.set(name, { dtype: 'F32', shape: layout.shape, data });
  }
  return { tensors, draws };
}

/** Pixels in [0, 1], NHWC, of the procedural images. */
export function proceduralPixels(count: number, seed: number): Float32Array {
  const random = randomFrom(mulberry32(seed));
  return Float32Array.from({ length: count }, () => Math.floor(256 * random.next()) / 255);
}
