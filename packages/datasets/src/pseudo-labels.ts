/** What a classifier thinks of unlabelled images. */
export interface PseudoLabels {
  /** The class with the largest logit; the first one on ties. */
  readonly labels: Int32Array;
  /** Its softmax probability. */
  readonly confidence: Float32Array;
}

/** Pseudo-labels from logits, `[count, classes]` row-major (Carmon et al., 2019: argmax of a standard model, no threshold). */
export function pseudoLabels(logits: ArrayLike<number>, classes: number): PseudoLabels {
  const count = logits.length / classes;
  const labels = new Int32Array(count);
  const confidence = new Float32Array(count);
  for (let i = 0; i < count; i++) {
    const start = i * classes;
    let best = 0;
    for (let k = 1; k < classes; k++) if (logits[start + k]! > logits[start + best]!) best = k;
    let sum = 0;
    for (let k = 0; k < classes; k++) sum += Math.exp(logits[start + k]! - logits[start + best]!);
    labels[i] = best;
    confidence[i] = 1 / sum;
  }
  return { labels, confidence };
}

/**
 * Which examples to keep, ascending: those of at least `threshold` confidence, and of each class at most the `perClass` most confident ones (the
 * earlier one on ties), as the reference balances its 500K images.
 */
export function selectPseudoLabels(
  { labels, confidence }: PseudoLabels,
  options: { threshold?: number | undefined; perClass?: number | undefined } = {},
): Int32Array {
  const { threshold = 0, perClass = Infinity } = options;
  const sure = [...labels.keys()].filter((i) => confidence[i]! >= threshold);
  if (perClass === Infinity) return Int32Array.from(sure);
  const taken = new Map<number, number>();
  const kept = sure
    .sort((a, b) => confidence[b]! - confidence[a]! || a - b)
    .filter((i) => {
      const before = taken.get(labels[i]!) ?? 0;
      taken.set(labels[i]!, before + 1);
      return before < perClass;
    });
  return Int32Array.from(kept).sort();
}
