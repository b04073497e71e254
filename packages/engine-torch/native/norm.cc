#include "norm.h"

#include <ATen/ops/add.h>
#include <ATen/ops/mul.h>
#include <ATen/ops/native_batch_norm.h>
#include <ATen/ops/native_batch_norm_backward.h>
#include <ATen/ops/relu.h>
#include <ATen/ops/rsqrt.h>
#include <ATen/ops/sub.h>
#include <ATen/ops/sum.h>
#include <ATen/ops/threshold_backward.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>

#include "convolution.h"
#include "rows.h"

namespace bulwark {

namespace {

at::Tensor inverseDeviation(const at::Tensor& variance, double epsilon) { return at::rsqrt(at::add(variance, epsilon)); }

/** Channels come second in PyTorch; features have no axes behind them. */
at::Tensor second(const at::Tensor& x) { return x.dim() == 4 ? nchw(x) : x; }
at::Tensor last(const at::Tensor& x) { return x.dim() == 4 ? nhwc(x) : x; }

/** As many values of each channel go into a statistic. */
double countOf(const at::Tensor& x) { return static_cast<double>(x.numel()) / static_cast<double>(x.size(-1)); }

at::Tensor finish(at::Tensor y, const After& after) {
  if (after.other.defined()) y.add_(after.other);
  if (after.relu) y.relu_();
  return y;
}

bool onRows(const at::Tensor& x, const After& after) {
  return rows::fits(x) && (!after.other.defined() || (rows::fits(after.other) && after.other.scalar_type() == x.scalar_type()));
}

std::vector<int64_t> allButLast(const at::Tensor& x) {
  std::vector<int64_t> axes;
  for (int64_t axis = 0; axis + 1 < x.dim(); axis++) axes.push_back(axis);
  return axes;
}

}  // namespace

bool normalizesItself(const at::Tensor& x) { return rows::fits(x); }

Normed normalizeBatch(const at::Tensor& x, const at::Tensor& scale, const at::Tensor& shift, double epsilon, const After& after,
                      const at::Tensor& room) {
  if (onRows(x, after)) {
    auto [mean, variance] = rows::moments(x);
    const at::Tensor factor = at::mul(scale, inverseDeviation(variance, epsilon));
    return {rows::affine(x, factor, at::sub(shift, at::mul(mean, factor)), after.other, after.relu), {mean, variance}, {}};
  }
  const at::Tensor zeros = room.defined() ? room : at::zeros({2, scale.size(0)}, scale.options());
  const Statistics found{zeros.select(0, 0), zeros.select(0, 1), true};
  // with a momentum of 1 the running statistics are those of this batch, the variance among them, not only its inverse root
  auto [y, mean, inverse] = at::native_batch_norm(second(x), scale, shift, found.mean, found.variance, /*training=*/true, 1.0, epsilon);
  // a single value has no unbiased variance; 0 is the harmless choice
  if (countOf(x) <= 1) found.variance.zero_();
  return {finish(last(y), after), found, inverse};
}

at::Tensor normalizeGiven(const at::Tensor& x, const at::Tensor& scale, const at::Tensor& shift, const Statistics& given, double epsilon,
                          const After& after) {
  const at::Tensor factor = at::mul(scale, inverseDeviation(given.variance, epsilon));
  const at::Tensor offset = at::sub(shift, at::mul(given.mean, factor));
  if (onRows(x, after)) return rows::affine(x, factor, offset, after.other, after.relu);
  return finish(at::add(at::mul(x, factor.to(x.scalar_type())), offset.to(x.scalar_type())), after);
}

at::Tensor reluGradient(const at::Tensor& a, const at::Tensor& b, const at::Tensor& y) {
  const auto alike = [&](const at::Tensor& t) { return rows::fits(t) && t.scalar_type() == y.scalar_type(); };
  if (rows::fits(y) && alike(a) && (!b.defined() || alike(b))) return rows::masked(a, b, y);
  return at::threshold_backward(b.defined() ? at::add(a, b) : a, y, 0);
}

NormGradients normGradients(const NormBackward& norm, const at::Tensor& dy, const at::Tensor& more, bool parameters) {
  const bool onRows = rows::fits(norm.x) && rows::fits(dy) && dy.scalar_type() == norm.x.scalar_type();
  // what was added needs the cut gradient, too; without that, a norm finds from x again where it was cut
  const bool cutHere = norm.relu && (norm.added || more.defined() || !onRows);
  at::Tensor d = cutHere ? reluGradient(dy, more, norm.y) : more.defined() ? at::add(dy, more) : dy;
  NormGradients gradients;
  if (norm.added) gradients.other = d;
  const at::Tensor inverse = norm.inverse.defined() ? norm.inverse : inverseDeviation(norm.variance, norm.epsilon);
  if (norm.ofBatch && !onRows) {
    auto [dx, dScale, dShift] = at::native_batch_norm_backward(second(d), second(norm.x), norm.scale, {}, {}, norm.mean, inverse,
                                                               /*train=*/true, norm.epsilon, {true, parameters, parameters});
    gradients.x = last(dx);
    gradients.scale = dScale;
    gradients.shift = dShift;
    return gradients;
  }
  const at::Tensor factor = at::mul(norm.scale, inverse);
  if (onRows) {
    const at::Tensor offset = at::sub(norm.shift, at::mul(norm.mean, factor));
    const rows::NormGradient given{d, norm.x, norm.mean, factor, offset, norm.relu && !cutHere};
    const at::Tensor none = at::zeros_like(factor);
    if (!norm.ofBatch && !parameters) {
      gradients.x = rows::gradient(given, factor, none, none);
      return gradients;
    }
    auto [sum, product] = rows::gradientSums(given);
    gradients.shift = sum;
    gradients.scale = at::mul(product, inverse);
    if (norm.ofBatch) {
      const at::Tensor share = at::mul(factor, -1 / countOf(norm.x));
      gradients.x = rows::gradient(given, factor, at::mul(at::mul(gradients.scale, inverse), share), at::mul(sum, share));
    } else {
      gradients.x = rows::gradient(given, factor, none, none);
    }
    return gradients;
  }
  gradients.x = at::mul(d, factor.to(d.scalar_type()));
  if (parameters) {
    const at::Tensor exact = d.to(at::kFloat);
    gradients.shift = at::sum(exact, allButLast(d));
    gradients.scale = at::mul(at::sum(at::mul(exact, at::sub(norm.x, norm.mean)), allButLast(d)), inverse);
  }
  return gradients;
}

}  // namespace bulwark
