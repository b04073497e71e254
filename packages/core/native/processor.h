#pragma once
// Kernels for processors are compiled once for each width of vectors; the processor at hand chooses.

#if defined(__x86_64__) && defined(__linux__) && defined(__GNUC__) && !defined(__clang__)
#define FOR_ANY_PROCESSOR __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
// of functions that differ by the number of registers
#define FOR_512_BITS __attribute__((target("arch=x86-64-v4")))
#define FOR_256_BITS __attribute__((target("arch=x86-64-v3")))
#else
#define FOR_ANY_PROCESSOR
#endif

/** Of functions that such kernels call, so that they are compiled with them. */
#define INLINE static inline __attribute__((always_inline))
