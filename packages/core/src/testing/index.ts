export { countingClassifier, type PassCounts } from './counting-classifier.js';
