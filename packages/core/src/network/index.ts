export type {
  BatchStatistics,
  ComputeDtype,
  Executor,
  Gradients,
  LayerStatistics,
  ParameterStore,
  Pass,
  PassRequest,
  PulledBack,
} from './pass.js';
export type { NetworkGraph } from '../classifier/graph.js';
