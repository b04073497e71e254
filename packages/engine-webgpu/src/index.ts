export { webgpu } from './engine.js';
export { loadWebgpu } from './load.js';
export type { WebgpuEngine, WebgpuLoad } from './load.js';
