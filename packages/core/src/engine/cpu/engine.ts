import { version_core } from '../../tensor/index.js';
import { defineEngine } from '../define.js';

/** TensorFlow.js's plain JavaScript: slow, and what every other engine is compared with. */
export const cpu = defineEngine({
  name: 'cpu',
  summary: 'Plain JavaScript: for tests, and what other engines are compared with.',
  probe: async () => ({ available: true }),
  async start() {
    const { startCpu } = await import('./start.js');
    await startCpu();
    return {
      backend: 'cpu',
      description: `TensorFlow.js ${version_core}`,
      device: 'CPU',
      dtypes: ['float32'],
      threads: 1,
      hostMemory: true,
      remarks: ['for tests only'],
    };
  },
});
