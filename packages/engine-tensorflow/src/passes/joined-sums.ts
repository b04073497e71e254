import { inputsOf, type NodeId, type Step } from '@bulwark/core/network';

/** A step, or a convolution whose output other images are added to at once. */
export interface JoinedStep extends Omit<Step, 'done'> {
  /** The node whose output is added, before the ReLU. */
  readonly other?: NodeId;
}

/**
 * The same steps, in which sums are part of a convolution that nothing else reads, and so is, with `relu`, the ReLU that alone reads
 * such a sum. The convolution then comes when the sum would have come.
 */
export function joinSums(steps: readonly Step[], { relu }: { relu: boolean }): JoinedStep[] {
  const readers = (id: NodeId) => steps.filter(({ node }) => inputsOf(node).includes(id));
  const onlyReader = (id: NodeId): Step | undefined => {
    const all = readers(id);
    return all.length === 1 ? all[0] : undefined;
  };
  const joinable = (id: NodeId, sum: Step): Step | undefined =>
    steps.find((step) => step.id === id && step.node.op === 'conv' && !step.relu && onlyReader(id) === sum);

  const moved = new Set<Step>();
  const joined = new Map<Step, JoinedStep>();
  for (const sum of steps) {
    if (sum.node.op !== 'add' || sum.node.input === sum.node.other) continue;
    const { input, other } = sum.node;
    const [first, second] = [joinable(input, sum), joinable(other, sum)];
    // of two convolutions the one with the larger filter gains more
    const convolution = [first, second].reduce((best, each) => (kernelOf(each) > kernelOf(best) ? each : best));
    if (!convolution) continue;
    const after = onlyReader(sum.id);
    const rectified = relu && after?.node.op === 'relu' ? after : undefined;
    moved.add(convolution);
    if (rectified) moved.add(rectified);
    const { id } = rectified ?? sum;
    joined.set(sum, {
      ...convolution,
      id,
      other: convolution === first ? other : input,
      relu: rectified !== undefined,
    });
  }
  return steps.flatMap((step) => (moved.has(step) ? [] : [joined.get(step) ?? step]));
}

const kernelOf = (step: Step | undefined): number => (step?.node.op === 'conv' ? step.node.kernel : 0);
