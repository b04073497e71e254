export { requireRightNumbers } from './require.js';
export { wrongNumbers } from './compare.js';
