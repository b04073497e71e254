import { describe } from '@jest/globals';
import { sweepWideConvolutions } from '../../core/test/wide-convolutions.js';
import { available } from '../test/kit.js';

(available ? describe : describe.skip)('convolutions with many channels', () => sweepWideConvolutions('torch'));
