#pragma once
// Batch normalisation with what follows it, [batch, height, width, channels] or [batch, channels]: kernels of our own on processors,
// PyTorch's elsewhere.

#include <ATen/core/Tensor.h>

namespace bulwark {

struct Normed {
  at::Tensor y;
  /** [channels] float32, of the batch or as given; the variance is the biased one. */
  at::Tensor mean, variance;
};

/** What a norm does besides normalising: adds `other` unless that is undefined, and cuts off what is below zero. */
struct After {
  at::Tensor other;
  bool relu = false;
};

/** Normalises with the batch's own statistics. */
Normed normalizeBatch(const at::Tensor& x, const at::Tensor& scale, const at::Tensor& shift, double epsilon, const After& after);

/** Normalises with given statistics. */
at::Tensor normalizeGiven(const at::Tensor& x, const at::Tensor& scale, const at::Tensor& shift, const Normed& given, double epsilon,
                          const After& after);

struct NormBackward {
  at::Tensor x, y, scale, shift, mean, variance;
  double epsilon;
  /** Statistics of the batch, which depend on x? */
  bool ofBatch;
  /** Was anything added, and was the result cut off below zero? */
  bool added, relu;
};
struct NormGradients {
  at::Tensor x, scale, shift;
  /** In what was added. */
  at::Tensor other;
};

/** @param more another part of the output's gradient, or undefined */
NormGradients normGradients(const NormBackward& norm, const at::Tensor& dy, const at::Tensor& more, bool parameters);

/** (a + b) where y is above zero; b may be undefined. */
at::Tensor reluGradient(const at::Tensor& a, const at::Tensor& b, const at::Tensor& y);

}  // namespace bulwark
