import type { Accuracy } from '../accuracy.js';
import { html, type Html } from './html.js';

export const points = (share: number): string => (100 * share).toFixed(2);

/** `52.10 (49.0 to 55.2)`. */
export const withInterval = ({ share, interval: [low, high] }: Accuracy): Html =>
  html`${points(share)} <small>(${(100 * low).toFixed(1)} to ${(100 * high).toFixed(1)})</small>`;
