import { beforeAll } from '@jest/globals';
import { sweepLayers } from '../../../test/layer-sweep/index.js';
import { useEngine } from '../select.js';

beforeAll(() => useEngine('cpu'));

sweepLayers();
