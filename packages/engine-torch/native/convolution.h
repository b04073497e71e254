#pragma once
// Two-dimensional convolutions of images [batch, height, width, channels]. Permuted, they are PyTorch's channels_last tensors, so no data
// moves. Filters are OIHW here, in channels_last memory.

#include <ATen/core/Tensor.h>

#include <array>
#include <optional>

namespace bulwark {

struct Geometry {
  std::array<int64_t, 2> stride{1, 1};
  /** Zeros above, below, left and right. */
  std::array<int64_t, 4> padding{};
  std::array<int64_t, 2> dilation{1, 1};
  int64_t groups = 1;

  bool symmetric() const { return padding[0] == padding[1] && padding[2] == padding[3]; }
};

inline at::Tensor nchw(const at::Tensor& x) { return x.permute({0, 3, 1, 2}); }
inline at::Tensor nhwc(const at::Tensor& x) { return x.permute({0, 2, 3, 1}); }

at::Tensor convolve(const at::Tensor& x, const at::Tensor& filter, const std::optional<at::Tensor>& bias, const Geometry& geometry);

/** The gradient in images of this shape, [batch, height, width, channels]. */
at::Tensor convolutionInputGradient(const at::Tensor& dy, const at::Tensor& filter, at::IntArrayRef shape, const Geometry& geometry);

/** The gradient in the filter, like it. */
at::Tensor convolutionFilterGradient(const at::Tensor& dy, const at::Tensor& x, const at::Tensor& filter, const Geometry& geometry);

struct ConvolutionGradients {
  at::Tensor input, filter;
};
ConvolutionGradients convolutionGradients(const at::Tensor& dy, const at::Tensor& x, const at::Tensor& filter, const Geometry& geometry);

}  // namespace bulwark
