#pragma once
// Minimal filtering F(4x4, 3x3) for processors (Winograd, 1980; Lavin and Gray, 2016, arXiv:1509.09308): a 3x3 convolution computes 4x4
// outputs with 36 products in place of 144, each a matrix product over the channels. The interpolation points 0, 3/4, -3/4, 3/2, -3/2 and
// infinity round off a fifth as much as the usual ones (Barabasz et al., 2020, arXiv:1803.10986).

#include <ATen/core/Tensor.h>

#include "convolution.h"

namespace bulwark::winograd {

/** Whether a convolution is computed so: 3x3, stride 1, one zero around, float32 on a processor, with channels enough to gain by it. */
bool fits(const at::Tensor& x, at::IntArrayRef filterShape, const Geometry& geometry);

/**
 * The filter, OIHW, in the products' terms: [36, out, in]. The convolution and its gradient share it.
 * @param before one of this shape that nobody reads any more, to be written over, or undefined
 */
at::Tensor transformFilter(const at::Tensor& filter, at::Tensor before = {});

/** What is done to the outputs while they are at hand: a bias [out] and other images are added where they are defined. */
struct After {
  at::Tensor bias, other;
  bool relu = false;
};

/** The convolution of images [batch, height, width, in]. */
at::Tensor convolve(const at::Tensor& x, const at::Tensor& transformed, const After& after);

/** The gradient in the images, for one in the output, [batch, height, width, out]. */
at::Tensor inputGradient(const at::Tensor& dy, const at::Tensor& transformed);

}  // namespace bulwark::winograd
