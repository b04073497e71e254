import { beforeAll, describe } from '@jest/globals';
import { useEngine } from '@bulwark/core/engine';
import { sweepLayers } from '../../core/test/layer-sweep/index.js';
import { webgpu } from './engine.js';
import { loadWebgpu } from './load.js';

const load = await loadWebgpu();
if (!load.available) console.warn(`no GPU adapter, so layers are not tested on webgpu: ${load.refusals[0]!.reason}`);

(load.available ? describe : describe.skip)('webgpu', () => {
  beforeAll(() => useEngine('webgpu', { engines: [webgpu] }));
  sweepLayers();
});
