#include "convolution.h"

#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/convolution.h>
#include <ATen/ops/convolution_backward.h>
#include <ATen/ops/empty.h>

#include "filtering.h"
#include "tf32.h"

namespace bulwark {

namespace {

/** PyTorch pads both sides alike; where that is not wanted, images are padded before. */
at::Tensor padded(const at::Tensor& x, const Geometry& g) {
  if (g.symmetric()) return x;
  return at::constant_pad_nd(x, {0, 0, g.padding[2], g.padding[3], g.padding[0], g.padding[1]});
}

std::array<int64_t, 2> ownPadding(const Geometry& g) {
  if (g.symmetric()) return {g.padding[0], g.padding[2]};
  return {0, 0};
}

ConvolutionGradients backward(const at::Tensor& dy, const at::Tensor& x, const at::Tensor& filter, const Geometry& g,
                              std::array<bool, 2> wanted) {
  // only the factors of what is wanted are read, of the other one the shape
  const at::Tensor images = wanted[1] ? tf32::factor(x) : x, taps = wanted[0] ? tf32::factor(filter) : filter;
  auto [input, weight, bias] =
      at::convolution_backward(nchw(tf32::factor(dy)), nchw(images), taps, std::nullopt, g.stride, ownPadding(g), g.dilation, /*transposed=*/false,
                               {0, 0}, g.groups, {wanted[0], wanted[1], false});
  if (!input.defined()) return {{}, weight};
  input = nhwc(input);
  if (!g.symmetric())
    input = input.narrow(1, g.padding[0], input.size(1) - g.padding[0] - g.padding[1])
                .narrow(2, g.padding[2], input.size(2) - g.padding[2] - g.padding[3])
                .contiguous();
  return {input, weight};
}

/**
 * Whether a filter's gradient has to be computed of every second (third, ...) pixel, as that of a convolution without stride. oneDNN's own
 * for 1x1 filters with strides and few images writes outside of its memory (seen with PyTorch 2.13.0 on AVX-512: a process that crashes
 * sooner or later).
 */
bool needsFewerPixels(const at::Tensor& x, const at::Tensor& filter, const Geometry& g) {
  const bool strided = g.stride[0] > 1 || g.stride[1] > 1;
  return x.is_cpu() && strided && filter.size(2) == 1 && filter.size(3) == 1 && g.padding == std::array<int64_t, 4>{};
}

at::Tensor fewerPixels(const at::Tensor& x, const Geometry& g) {
  return x.slice(1, 0, x.size(1), g.stride[0]).slice(2, 0, x.size(2), g.stride[1]).contiguous();
}

/** Whether it is a Winograd convolution that transforms its filter for itself. @param x images, or a gradient of the output, as many and as large */
bool filtersAlone(const at::Tensor& x, const at::Tensor& filter, const Geometry& g) {
  return filter.scalar_type() == at::kFloat && winograd::fits(x, filter.sizes(), g, /*kept=*/false);
}

/** Images of which only the shape is read. */
at::Tensor shapeOnly(at::IntArrayRef shape, const Geometry& g, const at::TensorOptions& options) {
  const bool even = g.symmetric();
  const int64_t height = shape[1] + (even ? 0 : g.padding[0] + g.padding[1]), width = shape[2] + (even ? 0 : g.padding[2] + g.padding[3]);
  return at::empty({shape[0], height, width, shape[3]}, options);
}

}  // namespace

at::Tensor convolve(const at::Tensor& x, const at::Tensor& filter, const std::optional<at::Tensor>& bias, const Geometry& g) {
  if (filtersAlone(x, filter, g)) return winograd::convolve(x, winograd::transformFilter(filter), {bias.value_or(at::Tensor()), {}, false});
  return nhwc(at::convolution(nchw(padded(tf32::factor(x), g)), tf32::factor(filter), bias, g.stride, ownPadding(g), g.dilation, /*transposed=*/false, {0, 0}, g.groups));
}

at::Tensor convolutionInputGradient(const at::Tensor& dy, const at::Tensor& filter, at::IntArrayRef shape, const Geometry& g) {
  if (filtersAlone(dy, filter, g)) return winograd::inputGradient(dy, winograd::transformFilter(filter));
  return backward(dy, shapeOnly(shape, g, dy.options()), filter, g, {true, false}).input;
}

at::Tensor convolutionFilterGradient(const at::Tensor& dy, const at::Tensor& x, const at::Tensor& filter, const Geometry& g) {
  if (needsFewerPixels(x, filter, g)) {
    Geometry dense = g;
    dense.stride = {1, 1};
    return backward(dy, fewerPixels(x, g), filter, dense, {false, true}).filter;
  }
  if (filtersAlone(x, filter, g)) return winograd::filterGradient(dy, x);
  return backward(dy, padded(x, g), filter, g, {false, true}).filter;
}

ConvolutionGradients convolutionGradients(const at::Tensor& dy, const at::Tensor& x, const at::Tensor& filter, const Geometry& g) {
  if (needsFewerPixels(x, filter, g) || filtersAlone(x, filter, g))
    return {convolutionInputGradient(dy, filter, x.sizes(), g), convolutionFilterGradient(dy, x, filter, g)};
  return backward(dy, padded(x, g), filter, g, {true, true});
}

}  // namespace bulwark
