import type { TensorInfo } from '@tensorflow/tfjs-core';
import type { WebgpuBackend } from '../backend.js';
import { normalised, normLike, overChannels, putNorm, type NormInputs } from '../batch-norm.js';
import type { RunShader } from '../shader.js';
import { sumOfRows } from '../sum-of-rows.js';

/** BatchNorm with the batch's statistics: one shader for each sum and for each result, where composed ops transpose and copy whole tensors. */
export function putBatchNormTrain(run: RunShader): void {
  /** The sum of an expression over all but the channels, times `scale`, [channels]. */
  const sum = (
    backend: WebgpuBackend,
    of: { name: string; inputs: Partial<NormInputs>; epsilon: number; expression: string; average?: boolean },
  ): TensorInfo => {
    const { channels, rows, shared, before } = overChannels(of.inputs.x ?? of.inputs.dy!, of.inputs, of.epsilon);
    const { name, expression } = of;
    return sumOfRows(run, backend, {
      ...shared,
      name,
      rows,
      channels,
      scale: of.average ? 1 / rows : 1,
      before,
      expression,
    });
  };
  putNorm('BulwarkBatchNormTrain', (backend, { x, gamma, beta }, epsilon) => {
    const average = (name: string, inputs: Partial<NormInputs>, expression: string) =>
      sum(backend, { name, inputs, epsilon, expression, average: true });
    const mean = average('batch mean', { x }, 'x');
    const variance = average('batch variance', { x, mean }, '(x - mean) * (x - mean)');
    const inputs = { x, gamma, beta, mean, variance };
    return [normLike(run, backend, { name: 'norm', inputs, of: 'x', epsilon, expression: normalised }), mean, variance];
  });
  const gradients = (backend: WebgpuBackend, inputs: NormInputs, epsilon: number): TensorInfo[] => {
    const { dy, x, gamma, mean, variance } = inputs;
    const whole = (name: string, of: Partial<NormInputs>, expression: string) =>
      sum(backend, { name, inputs: of, epsilon, expression });
    const dBeta = whole('norm shift gradient', { dy }, 'dy');
    const dGamma = whole('norm scale gradient', { dy, x, mean, variance }, 'dy * (x - mean) * deviation');
    // what dy changes in the mean and in the variance
    const through = '(dBeta + (x - mean) * deviation * dGamma) / f32(uniforms.rows)';
    const dx = normLike(run, backend, {
      ...{ name: 'norm gradient', of: 'x', epsilon },
      inputs: { dy, x, gamma, mean, variance, dBeta, dGamma } as Partial<NormInputs>,
      expression: `(dy - ${through}) * (gamma * deviation)`,
    });
    return [dx, dGamma, dBeta];
  };
  putNorm('BulwarkBatchNormTrainGrad', gradients);
  putNorm('BulwarkBatchNormTrainInputGrad', (backend, inputs, epsilon) => {
    const [dx, ...others] = gradients(backend, inputs, epsilon);
    for (const { dataId } of others) backend.disposeData(dataId);
    return dx!;
  });
}
