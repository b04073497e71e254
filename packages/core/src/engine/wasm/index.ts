export { wasm } from './engine.js';
