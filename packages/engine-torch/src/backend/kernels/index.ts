import type { Kit } from '../kernel.js';
import { registerAttacks } from './attacks.js';
import { registerConvolutions, registerConvolutions3d } from './convolution.js';
import { registerElementwise } from './elementwise.js';
import { registerIndexing } from './indexing.js';
import { registerNormalisation } from './normalisation.js';
import { registerPooling } from './pooling.js';
import { registerProducts } from './products.js';
import { registerReductions } from './reductions.js';
import { registerResizing } from './resizing.js';
import { registerShapes } from './shapes.js';

/** Registers every kernel of the backend. */
export function registerKernels(kit: Kit): void {
  for (const register of [
    registerElementwise,
    registerReductions,
    registerShapes,
    registerIndexing,
    registerProducts,
    registerConvolutions,
    registerConvolutions3d,
    registerPooling,
    registerNormalisation,
    registerResizing,
    registerAttacks,
  ])
    register(kit);
}
