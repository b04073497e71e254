import { useEngine, type EngineSpeed, type PluginRegistry } from '@bulwark/core';
import { measureSpeed } from '@bulwark/core/engine';
import { enginesOf } from '@bulwark/core/plugins';
import { benchmarkPipeline } from '@bulwark/datasets';
import type { GivenEngine } from '../engines/given.js';
import { measureAttacks, type AttackRow } from './attacks.js';
import { measureGradients, type GradientRow } from './gradients.js';
import type { BenchPart, BenchSettings } from './settings.js';
import { measureGrowth, measureTraining, type TrainingRow } from './training.js';

/** What was measured on one engine; parts that were not asked for are missing. */
export interface EngineBench {
  /** As it was asked for: a name, or a name with options. */
  readonly engine: string;
  readonly speed?: EngineSpeed;
  readonly gradients?: readonly GradientRow[];
  readonly training?: readonly TrainingRow[];
  readonly growth?: readonly TrainingRow[];
  readonly attacks?: readonly AttackRow[];
  /** Images per second of reading and augmenting alone; the engine has no part in it. */
  readonly pipeline?: { readonly imagesPerSecond: number };
  readonly seconds: number;
}

/** Measures one engine in this process, part after part. */
export async function benchEngine(
  { label, request }: GivenEngine,
  options: { registry: PluginRegistry; settings: BenchSettings; progress: (text: string) => void },
): Promise<EngineBench> {
  const { registry, settings, progress } = options;
  const began = performance.now();
  const use = () => useEngine(request, { engines: enginesOf(registry) });
  await use();
  const perModel = async <Row>(measure: (model: BenchSettings['models'][number]) => Promise<Row[]>): Promise<Row[]> => {
    const rows: Row[] = [];
    for (const model of settings.models) rows.push(...(await measure(model)));
    return rows;
  };
  const measures: Readonly<Record<BenchPart, () => unknown>> = {
    speed: () => measureSpeed({ seconds: settings.speedSeconds }),
    gradients: () => perModel((model) => measureGradients(model, settings)),
    training: () => perModel((model) => measureTraining(model, settings)),
    growth: () => measureGrowth(settings),
    attacks: () => measureAttacks(use, settings),
    pipeline: () => benchmarkPipeline({ seconds: settings.pipelineSeconds }),
  };
  const measured: Partial<Record<BenchPart, unknown>> = {};
  for (const part of settings.parts) {
    progress(part);
    measured[part] = await measures[part]();
  }
  return { engine: label, ...(measured as Partial<EngineBench>), seconds: (performance.now() - began) / 1000 };
}
