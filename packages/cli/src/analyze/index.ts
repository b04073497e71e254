export { radiusFigure } from './radius.js';
export { readRuns } from '../report/read-run.js';
export { analyseAngles } from './angles.js';
export { analyseCollaborative } from './collaborative.js';
export { curvesFigure, diagnosticsFigure } from './curves.js';
export { analyseLandscape } from './landscape.js';
export { meanOverSeeds } from './mean-over-seeds.js';
export { tradeOffFigure } from './trade-off.js';
