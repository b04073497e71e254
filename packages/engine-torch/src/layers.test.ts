import { describe } from '@jest/globals';
import { sweepLayers } from '../../core/test/layer-sweep/index.js';
import { available } from '../test/kit.js';

(available ? describe : describe.skip)('the torch engine', () => sweepLayers());
