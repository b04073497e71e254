import { fileURLToPath } from 'node:url';

/** The folder of the C++ kernels that native engines compile with their own sources (`#include <winograd.h>`), each a header and its source. */
export const kernelSources = fileURLToPath(new URL('../../../native/', import.meta.url));
