import { BulwarkError } from '@bulwark/core';
import { openTarget } from '../evaluate/open-target.js';
import { builtinRegistry } from '../registry.js';
import type { PluginFlags } from '../trust/policy.js';
import { imageSheet } from './image-sheet.js';
import type { RunRecord } from './read-run.js';
import type { Opened } from './sections/images.js';

/** Opens each run's model, one after the other, and looks at `images` test images with it. */
export async function openModels(
  runs: readonly RunRecord[],
  options: PluginFlags & { images: number; engine?: string; warn: (text: string) => void },
): Promise<Map<RunRecord, Opened>> {
  const { images, engine, plugins, warn } = options;
  const opened = new Map<RunRecord, Opened>();
  for (const run of runs) {
    try {
      const target = await openTarget(run.path, { engine, plugins }, { registry: builtinRegistry(), warn });
      const { data, what: checkpoint, model } = target;
      opened.set(run, {
        classNames: data.classNames,
        notes: data.notes,
        checkpoint,
        rows: await imageSheet(target, images),
      });
      model.dispose();
    } catch (error) {
      if (!(error instanceof BulwarkError)) throw error;
      warn(`no images of ${run.path}: ${error.message}${error.hint ? `; ${error.hint}` : ''}`);
      opened.set(run, { problem: error.message });
    }
  }
  return opened;
}
