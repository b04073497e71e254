/**
 * What installers of engines share: compiler, headers, downloads, cache, probes.
 * @module @bulwark/core/install
 */
export { cacheFolder } from '../cache-folder.js';
export { askPython } from './ask-python.js';
export type { Build, Built } from './build.js';
export { buildCache, type BuildCache, type BuildKind, type Useless } from './build-cache.js';
export { fetchPackage, type PinnedPackage } from './fetch-package.js';
export { nodeApiLevel, nodeHeaders } from './headers.js';
export { kernelSources, nativeSources, type NativeSources } from './native-sources.js';
export { withLock } from './lock.js';
export { pipWheel, sha256Of, unknownWheel, type PinnedWheel } from './pinned-wheel.js';
export { printReport, probeInChild, type ProbeHints, type ProbeReport } from './probe.js';
export { requireCompiler, requirePip, requirePython, requireSpace } from './requirements.js';
export { searchPathFlags } from './search-path.js';
export { run, type RunOptions, type RunResult } from './run.js';
export { integers, largestDifference, wrongProducts, type Products, type Values } from './known-products.js';
