import { createRandom, type LossSurface, type NeighbourSide } from '@bulwark/core';
import { lossSurface } from '@bulwark/core/analysis';
import { threatOf } from '@bulwark/core/run';
import { threatText } from '@bulwark/core/threat';
import { surfaceChart } from '../report/chart/surface.js';
import type { RunRecord } from '../report/read-run.js';
import type { Output } from '../terminal/output.js';
import { pixelFlag, positive, whole, type ModelFlags } from './flags.js';
import { withModels } from './models.js';
import type { Figure } from './write-figure.js';

export interface LandscapeFlags extends ModelFlags {
  readonly side: NeighbourSide;
  readonly steps: string;
  readonly stepSize?: string;
  readonly radius: string;
  readonly resolution: string;
}

export function landscapeFigure(
  results: readonly { run: Pick<RunRecord, 'label' | 'method'>; surface: LossSurface }[],
  settings: { side: NeighbourSide; images: number; epsilon: string },
): Figure {
  const { side, images, epsilon } = settings;
  return {
    rows: results.flatMap(({ run, surface: { at, loss } }) =>
      loss.flatMap((row, r) =>
        row.map((value, c) => ({ run: run.label, along: at[c], across: at[r], 'cross-entropy (nats)': value })),
      ),
    ),
    data: {
      settings,
      runs: results.map(({ run: { label, method }, surface }) => ({ run: label, method, ...surface })),
    },
    chart: surfaceChart({
      title: `Loss around images, along their ${side} perturbation`,
      subtitle: `average of ${images} images; the cross is the image, 1 is the perturbation found within ${epsilon}`,
      surfaces: results.map(({ run, surface: { at, loss } }) => ({ name: run.label, at, z: loss })),
      x: { title: `along the ${side} perturbation (multiples)` },
      y: { title: 'along a random direction (multiples)' },
      z: 'cross-entropy (nats)',
    }),
  };
}

/** Figure 3 of Li et al., 2023 (arXiv:2205.11156). */
export async function analyseLandscape(
  paths: readonly string[],
  flags: LandscapeFlags,
  output: Output,
): Promise<Figure> {
  const resolution = whole('resolution', flags.resolution, 3);
  const radii = new Set<string>();
  const results = await withModels(paths, { flags, output }, async (analysed) => {
    const { run, target, set, batchSize, progress, signal, seed } = analysed;
    const threat = threatOf(target.config);
    radii.add(threatText({ norm: threat.norm.name, epsilon: threat.epsilon }));
    const surface = await lossSurface(set, {
      ...{ model: target.model, threat, side: flags.side, batchSize, progress, signal },
      steps: whole('steps', flags.steps),
      stepSize:
        flags.stepSize === undefined
          ? threat.epsilon / 8
          : pixelFlag('step-size', flags.stepSize, { norm: threat.norm.name, shape: set.shape }),
      radius: positive('radius', flags.radius),
      // odd, so that the image itself is a position
      resolution: resolution + 1 - (resolution % 2),
      random: createRandom(seed, 'landscape'),
    });
    return { run, surface };
  });
  const images = whole('images', flags.images);
  return landscapeFigure(results, { side: flags.side, images, epsilon: [...radii].join(', ') });
}
