import { beforeAll, describe } from '@jest/globals';
import { useEngine } from '@bulwark/core/engine';
import { sweepLayers } from '../../core/test/layer-sweep/index.js';
import { tensorflow } from './engine.js';
import { loadTensorflow } from './load.js';

const load = await loadTensorflow();
if (!load.available) console.warn('tensorflow engine not available, its layers are not tested');

(load.available ? describe : describe.skip)('the native engine', () => {
  beforeAll(() => useEngine('tensorflow', { engines: [tensorflow] }));
  sweepLayers();
});
