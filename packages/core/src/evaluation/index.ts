/**
 * The one judge of attacks, results in files, fingerprints, intervals.
 * @module @bulwark/core/evaluation
 */
export { answersOf, type Answers } from './answers.js';
export {
  corruptionTable,
  evaluateCorruptions,
  loadCorruptions,
  saveCorruptions,
  type CorruptionEvaluation,
  type CorruptionGroup,
  type CorruptionResult,
  type CorruptionRow,
} from './corruptions.js';
export { accuracyCurve, unionOf, type Accuracy, type CurvePoint } from './curve.js';
export { evaluate, type Evaluation, type EvaluationProgress } from './evaluate.js';
export { fingerprintData, fingerprintModel, fingerprintModelSync } from './fingerprint.js';
export { mergeEvaluations, shardPositions } from './merge.js';
export { breaks, checkNorm, judge, type Judgement } from './judge.js';
export { violations, type Violation, type Verdict } from './recheck.js';
export { loadEvaluation, lockEvaluation, saveEvaluation } from './result-file.js';
export { parseEvaluation, type AttackEntry, type EvaluationResult, type TrustFinding } from './result.js';
export { accuracyPerClass, confusionMatrix, wilsonInterval, type ClassAccuracy } from './statistics.js';
export { squareIsBetter, tooFewClasses, trustFinding, trustTexts, type TrustFindingId } from './trust.js';
export { callsGradients, isRandomised, looksLikeProbabilities } from './trust-signs.js';
