import { trainedStatistics, type TrainerParts } from '../trainer/index.js';
import type { RunConfig } from './config.js';

/** Options of a run that change nothing with these data and this model, each in a sentence with a cure. */
export function doubtsOfParts(
  { evaluation, batchNorm }: RunConfig,
  parts: Pick<TrainerParts, 'data' | 'model' | 'objective'>,
): string[] {
  const { data, model } = parts;
  const found: string[] = [];
  const withoutImages = `${data.name} holds out no images for validation; set data.validation`;
  if (!data.validation && evaluation.selectBest !== undefined)
    found.push(`evaluation.selectBest is ${evaluation.selectBest} and has no effect: ${withoutImages}`);
  if (!data.validation && evaluation.final === 'validation')
    found.push(`evaluation.final is validation, so nothing is measured at the end: ${withoutImages}`);
  const { momentum, first } = batchNorm;
  const ofLayers = [momentum !== undefined && `momentum is ${momentum}`, first !== undefined && `first is ${first}`];
  const given = ofLayers.filter(Boolean).join(', ');
  if (given && trainedStatistics(parts).size === 0)
    found.push(`batchNorm: ${given}, without effect: the model ${model.name} has no BatchNorm; leave it out`);
  return found;
}
