#pragma once
// Batch normalisation with what follows it, [batch, height, width, channels] or [batch, channels]: kernels of our own on processors,
// PyTorch's elsewhere.

#include <ATen/core/Tensor.h>

namespace bulwark {

/** Of one norm, [channels] float32. */
struct Statistics {
  at::Tensor mean, variance;
  /** Whether the sum of squares was divided by one less than there are values. */
  bool unbiased = false;
};

struct Normed {
  at::Tensor y;
  Statistics statistics;
  /** 1 / sqrt(biased variance + epsilon), where that was found on the way. */
  at::Tensor inverse;
};

/** What a norm does besides normalising: adds `other` unless that is undefined, and cuts off what is below zero. */
struct After {
  at::Tensor other;
  bool relu = false;
};

/** Whether kernels of our own normalise a batch of such features, which need no room. */
bool normalizesItself(const at::Tensor& x);

/** Normalises with the batch's own statistics. @param room [2, channels] float32 zeros for these, or undefined: they get memory of their own */
Normed normalizeBatch(const at::Tensor& x, const at::Tensor& scale, const at::Tensor& shift, double epsilon, const After& after,
                      const at::Tensor& room);

/** Normalises with given statistics, of which the variance is the biased one. */
at::Tensor normalizeGiven(const at::Tensor& x, const at::Tensor& scale, const at::Tensor& shift, const Statistics& given, double epsilon,
                          const After& after);

struct NormBackward {
  at::Tensor x, y, scale, shift, mean, variance;
  /** As in `Normed`; undefined: it is found from the variance. */
  at::Tensor inverse;
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
