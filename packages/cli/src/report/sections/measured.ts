import { threatText } from '@bulwark/core/threat';
import type { RunRecord } from '../read-run.js';

/** Different ones of several texts. */
export const listed = (texts: readonly string[]): string => [...new Set(texts)].join('; ');

/** The threat model of a run: `linf 8/255`, `l2 0.5`. */
export const radius = ({ config: { threat } }: Pick<RunRecord, 'config'>): string => threatText(threat);

/** On how many validation images runs are measured, as far as their configs say. */
export const validationText = (runs: readonly RunRecord[]): string =>
  listed(
    runs.map(({ config }) => {
      const { examples } = config.evaluation;
      return examples === undefined ? 'all validation images' : `at most ${examples} validation images`;
    }),
  );
