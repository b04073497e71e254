#pragma once

#include <string>

namespace bulwark {

/**
 * Makes TensorFlow know four ops on float32 for processors, once in a process. Their convolution is 3x3, of stride 1, with one zero around.
 *
 * `BulwarkFilter(filter [3, 3, in, out]) -> transformed [36, in, out]`: a filter as the other two take it.
 *
 * `BulwarkConvolution(x [n, h, w, in], transformed, bias [out] or [0], other [n, h, w, out] or [0]; relu) -> y [n, h, w, out]`: the convolution,
 * with the bias and the other images added, cut below zero if so wanted. NaN stays.
 *
 * `BulwarkConvolutionGradient(dy [n, h, w, out], transformed) -> dx [n, h, w, in]`: its gradient in the images.
 *
 * `BulwarkFilterGradient(x [n, h, w, in], dy [n, h, w, out]) -> gradient [3, 3, in, out]`: its gradient in the filter.
 *
 * @returns why the library does not take them, or nothing
 */
std::string registerOperators();

}  // namespace bulwark
