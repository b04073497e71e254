import type { CostPreview } from '@bulwark/core';
import { counted } from '@bulwark/core/plugins';
import { duration } from '../terminal/output.js';

const bytes = (size: number): string =>
  size >= 2 ** 30 ? `${(size / 2 ** 30).toFixed(1)} GB` : `${(size / 2 ** 20).toFixed(size < 2 ** 20 ? 2 : 0)} MB`;

/** A cost preview for people. */
export function previewLines(preview: CostPreview): string[] {
  const { epochs, stepsPerEpoch, secondsPerStep } = preview;
  const rows: [string, string][] = [
    ['engine', preview.engine],
    ['parameters', preview.parameters.toLocaleString('en')],
    ['steps', `${counted(epochs, 'epoch')} of ${stepsPerEpoch}, ${counted(preview.batchSize, 'image')} each`],
    ['one step', `${preview.forwardPasses} forward and ${preview.backwardPasses} backward passes`],
    ['time per step', `${duration(secondsPerStep)} (${(preview.batchSize / secondsPerStep).toFixed(0)} images/s)`],
    ['time per epoch', duration(stepsPerEpoch * secondsPerStep + preview.secondsPerValidation)],
    ['time in all', duration(preview.secondsInAll)],
    ['peak memory', `${bytes(preview.peakTensorBytes)} of tensors; process ${bytes(preview.peakProcessBytes)}`],
    ['disk', `${bytes(preview.diskBytes)} (${bytes(preview.checkpointBytes)} per checkpoint)`],
  ];
  return [
    `${preview.name}: what training will cost, measured on this machine`,
    ...rows.map(([name, value]) => `  ${name.padEnd(16)}${value}`),
    'nothing was written',
  ];
}
