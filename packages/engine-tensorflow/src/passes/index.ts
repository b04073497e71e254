export { tensorflowExecutor } from './executor.js';
