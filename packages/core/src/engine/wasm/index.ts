export { registerWasmKernels } from './register.js';
export { defaultThreads, startBackend } from './shared-memory.js';
