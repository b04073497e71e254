import type { Tensor2D, Tensor4D } from '@tensorflow/tfjs-core';
import type { Classifier, Mode } from './classifier.js';

/** Undefined where batches are better passed one by one. */
type ForwardEach = (points: readonly Tensor4D[], mode: Mode) => Tensor2D[] | undefined;

type Captured = ReturnType<Classifier['forwardCapturing']>;
type CaptureEach = (points: readonly Tensor4D[]) => Captured[] | undefined;

// By the function that it stands for: a classifier made of another one with a `forward` of its own is asked for that.
const sideBySide = new WeakMap<Classifier['forward'], ForwardEach>();
const capturedSideBySide = new WeakMap<Classifier['forwardCapturing'], CaptureEach>();

/** Says how the classifiers with this `forward` pass several batches side by side. */
export function passesSideBySide(forward: Classifier['forward'], each: ForwardEach): void {
  sideBySide.set(forward, each);
}

/**
 * Passes several batches, each with statistics of its own, as `forward` does one after the other; an engine that can does it
 * side by side, which is faster where one pass alone leaves threads idle.
 * @param points of each batch, [batch, h, w, c]
 * @returns logits of each batch, [batch, classes]
 */
export function forwardEach(model: Classifier, points: readonly Tensor4D[], mode: Mode): Tensor2D[] {
  return sideBySide.get(model.forward)?.(points, mode) ?? points.map((images) => model.forward(images, mode));
}

/** Says how the classifiers with this `forwardCapturing` pass several batches side by side. */
export function capturesSideBySide(forwardCapturing: Classifier['forwardCapturing'], each: CaptureEach): void {
  capturedSideBySide.set(forwardCapturing, each);
}

/** `forwardEach` of `forwardCapturing`: what it gives for each batch, [batch, h, w, c]. */
export function forwardCapturingEach(model: Classifier, points: readonly Tensor4D[]): Captured[] {
  const { forwardCapturing } = model;
  return capturedSideBySide.get(forwardCapturing)?.(points) ?? points.map((images) => model.forwardCapturing(images));
}
