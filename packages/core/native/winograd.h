#pragma once
// Minimal filtering F(4x4, 3x3) for processors (Winograd, 1980; Lavin and Gray, 2016, arXiv:1509.09308): a 3x3 convolution computes 4x4
// outputs with 36 products in place of 144, each a matrix product over the channels. The interpolation points 0, 3/4, -3/4, 4/3, -4/3 and
// infinity round off a fifth as much as the usual ones (Barabasz et al., 2020, arXiv:1803.10986), and with each point its reciprocal is there:
// so a filter that is mirrored, as gradients take it, has the same products in another order. Native engines compile this with their
// own sources; it needs nothing but a C++17 compiler.

#include <cstdint>
#include <functional>

namespace bulwark::winograd {

/** The threads of a host. */
struct Threads {
  int64_t count;
  /** Calls work(0), ..., work(n - 1), several at once, and returns when all are done. */
  std::function<void(int64_t n, const std::function<void(int64_t)>& work)> run;
};

/** A convolution of images [images, height, width, in] to [images, height, width, out], float32, stride 1, one zero around. */
struct Convolution {
  int64_t images, height, width, in, out;
};

/** Where the numbers of a filter lie: the distance, in numbers, between its neighbours along each axis. */
template <typename Number>
struct FilterAt {
  Number* data;
  int64_t out, in, row, column;
};
using Filter = FilterAt<const float>;

/** Numbers of channels are multiples of this: it is how many are computed side by side. */
constexpr int64_t lanes = 16;
/** Products of a tile, over the channels each. */
constexpr int64_t products = 36;

/** Whether the kernels can compute it. */
bool possible(int64_t in, int64_t out);

/**
 * Whether that is faster than the usual way.
 * @param kept the transformed filter serves many passes; otherwise each pass transforms it anew
 */
bool worthwhile(const Convolution& convolution, bool kept);

/** A filter as the convolution and its gradient take it: [products, out / lanes, in, lanes]. */
void transform(const Filter& filter, int64_t in, int64_t out, float* transformed, const Threads& threads);

/** What is done to the outputs while they are at hand. */
struct Finish {
  /** [out], added; or null. */
  const float* bias = nullptr;
  /** Of the output's shape, added; or null. */
  const float* other = nullptr;
  /** Cut below zero, after that. NaN stays. */
  bool relu = false;
};

/** @param y the output, which is written over */
void convolve(const Convolution& convolution, const float* x, const float* transformed, const Finish& finish, float* y, const Threads& threads);

/** The gradient in the images, [images, height, width, in], of one in the output. */
void convolveGradient(const Convolution& convolution, const float* dy, const float* transformed, float* dx, const Threads& threads);

/** The gradient in the filter, which is written over, of one in the output. */
void filterGradient(const Convolution& convolution, const float* x, const float* dy, const FilterAt<float>& gradient, const Threads& threads);

}  // namespace bulwark::winograd
