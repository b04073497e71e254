import type { Shape, Start } from './layer.js';

/** PyTorch's default for convolutions and linear layers, weights and biases: U(-1 / sqrt(fanIn), 1 / sqrt(fanIn)). */
export const uniformFanIn = (fanIn: number): Start => ({ uniform: 1 / Math.sqrt(fanIn) });

/** Number of values of a shape. */
export const volume = (shape: Shape): number => shape.reduce((size, n) => size * n, 1);
