#pragma once
// Winograd convolutions (core's native/winograd.h) of PyTorch's tensors.

#include <ATen/core/Tensor.h>

#include "convolution.h"

namespace bulwark::winograd {

/**
 * Whether a convolution is computed so: 3x3, stride 1, one zero around, float32 on a processor, where that gains.
 * @param kept the transformed filter serves many passes
 */
bool fits(const at::Tensor& x, at::IntArrayRef filterShape, const Geometry& geometry, bool kept);

/** The filter, OIHW, as the convolution and its gradient take it: [36, out / 16, in, 16]. */
at::Tensor transformFilter(const at::Tensor& filter);

/** What is done to the outputs while they are at hand: a bias [out] and other images are added where they are defined. */
struct After {
  at::Tensor bias, other;
  bool relu = false;
};

/** The convolution of images [batch, height, width, in]. */
at::Tensor convolve(const at::Tensor& x, const at::Tensor& transformed, const After& after);

/** The gradient in the images, for one in the output, [batch, height, width, out]. */
at::Tensor inputGradient(const at::Tensor& dy, const at::Tensor& transformed);

/** The gradient in the filter, OIHW in channels_last memory. */
at::Tensor filterGradient(const at::Tensor& dy, const at::Tensor& x);

}  // namespace bulwark::winograd
