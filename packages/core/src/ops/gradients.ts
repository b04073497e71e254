/**
 * `@tensorflow/tfjs-core` alone registers no gradients, and its `register_all_gradients` module cannot be
 * imported by Node as ESM; importing tfjs-layers registers them all.
 */
import '../tensor/layers.js';
import './missing-gradients.js';
