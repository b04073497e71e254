#pragma once
// Kernels for processors on features in rows: the channels of one pixel side by side. Each reads memory once; sums are made of parts
// whose number does not depend on that of threads, so results do not either.

#include <ATen/core/Tensor.h>

namespace bulwark::rows {

/** Whether these kernels take a tensor: on the host, float32 or bfloat16, channels last without holes. */
bool fits(const at::Tensor& x);

struct Moments {
  /** [channels] float32; the variance is the biased one. */
  at::Tensor mean, variance;
};
Moments moments(const at::Tensor& x);

/** x * scale + shift (+ other), then max(., 0) if asked for; scale and shift are [channels] float32. */
at::Tensor affine(const at::Tensor& x, const at::Tensor& scale, const at::Tensor& shift, const at::Tensor& other, bool relu);

/** (a + b) where y > 0, else 0; b may be undefined. */
at::Tensor masked(const at::Tensor& a, const at::Tensor& b, const at::Tensor& y);

struct GradientSums {
  /** [channels] float32: sums of the gradient, and of the gradient times (x - mean). */
  at::Tensor gradient, product;
};
/** What a norm's gradient is made of. With `relu` only what is above zero after scale and shift counts. */
struct NormGradient {
  at::Tensor dy, x, mean, scale, shift;
  bool relu = false;
};
GradientSums gradientSums(const NormGradient& norm);

/** dy * a + (x - mean) * b + c, with dy as in `gradientSums`; a, b, c are [channels] float32. */
at::Tensor gradient(const NormGradient& norm, const at::Tensor& a, const at::Tensor& b, const at::Tensor& c);

}  // namespace bulwark::rows
