#include "steps.h"

#include <ATen/ops/add.h>
#include <ATen/ops/addmm.h>
#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/div.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/max_pool2d_with_indices.h>
#include <ATen/ops/max_pool2d_with_indices_backward.h>
#include <ATen/ops/mean.h>
#include <ATen/ops/mul.h>
#include <ATen/ops/relu.h>
#include <ATen/ops/silu.h>
#include <ATen/ops/silu_backward.h>
#include <ATen/ops/sub.h>
#include <ATen/ops/sum.h>

#include "filtering.h"
#include "norm.h"
#include "tf32.h"

namespace bulwark {

namespace {

at::Tensor sumOf(const at::Tensor& a, const at::Tensor& b) { return b.defined() ? at::add(a, b) : a; }

// ---- convolution, with a norm in its filter, an addition and a cut below zero ----

/** Passes that weights do not learn from are many before these change, and share transformed filters. */
bool sharesTransformed(const StepContext& c, const at::Tensor& x) {
  const auto shape = c.weight(0).sizes();
  return !c.mode.parameters && winograd::fits(x, {shape[3], shape[2], shape[0], shape[1]}, c.node().geometry, /*kept=*/true);
}

at::Tensor convolutionForward(const StepContext& c, const at::Tensor& input, const at::Tensor& other, Residuals& kept) {
  const at::Tensor x = input.to(c.mode.type);
  const bool transformed = sharesTransformed(c, x);
  const Filter& filter = transformed ? c.weights.transformed(c.step) : c.weights.filter(c.step, c.mode.type);
  at::Tensor y;
  if (transformed) {
    y = winograd::convolve(x, filter.transformed, {filter.bias, other, c.step.relu});
  } else {
    y = convolve(x, filter.filter, filter.bias.defined() ? std::optional(filter.bias) : std::nullopt, c.node().geometry);
    if (other.defined()) y.add_(other);
    if (c.step.relu) y.relu_();
  }
  if (c.mode.gradients()) {
    if (transformed) kept.transformed = filter.transformed;
    else kept.filter = filter.filter;
    if (c.step.relu) kept.y = y;
    if (c.mode.parameters) kept.x = x;
  }
  return y;
}

StepGradients convolutionBackward(const StepContext& c, const at::Tensor& dOutput, const at::Tensor& more, const Residuals& kept,
                                  bool wantsInput) {
  const at::Tensor dy = c.step.relu ? reluGradient(dOutput, more, kept.y) : sumOf(dOutput, more);
  StepGradients found;
  if (c.step.add >= 0) found.other = dy;
  const Geometry& geometry = c.node().geometry;
  if (!c.mode.parameters) {
    if (!wantsInput) return found;
    const bool minimal = kept.transformed.defined();
    found.input = minimal ? winograd::inputGradient(dy, kept.transformed) : convolutionInputGradient(dy, kept.filter, kept.shape, geometry);
    return found;
  }
  at::Tensor dFilter;
  if (wantsInput) {
    auto both = convolutionGradients(dy, kept.x, kept.filter, geometry);
    found.input = both.input;
    dFilter = both.filter;
  } else {
    dFilter = convolutionFilterGradient(dy, kept.x, kept.filter, geometry);
  }
  const auto& places = c.node().weights;
  found.weights.emplace_back(places[0], dFilter.permute({2, 3, 1, 0}).to(at::kFloat));
  if (places[1] >= 0) found.weights.emplace_back(places[1], at::sum(dy, {0, 1, 2}, false, at::kFloat));
  return found;
}

// ---- norm, with an addition and a cut below zero ----

at::Tensor normForward(const StepContext& c, const at::Tensor& x, const at::Tensor& other, Residuals& kept) {
  const Node& node = c.node();
  const After after{other, c.step.relu};
  Normed found;
  if (c.mode.ofBatch) {
    found = normalizeBatch(x, c.weight(0), c.weight(1), node.epsilon, after, c.room);
  } else {
    found.statistics = {c.weight(2), c.weight(3)};
    found.y = normalizeGiven(x, c.weight(0), c.weight(1), found.statistics, node.epsilon, after);
  }
  kept.statistics = found.statistics;
  kept.inverse = found.inverse;
  if (c.mode.gradients()) {
    kept.x = x;
    kept.scale = c.weight(0);
    kept.shift = c.weight(1);
    // without an addition the way back sees from x where it was cut, on processors
    if (c.step.relu) kept.y = found.y;
  }
  return found.y;
}

StepGradients normBackward(const StepContext& c, const at::Tensor& dy, const at::Tensor& more, const Residuals& kept) {
  const Node& node = c.node();
  const NormBackward norm{kept.x,       kept.y,       kept.scale,     kept.shift,      kept.statistics.mean, kept.statistics.variance,
                          kept.inverse, node.epsilon, c.mode.ofBatch, c.step.add >= 0, c.step.relu};
  NormGradients gradients = normGradients(norm, dy, more, c.mode.parameters);
  StepGradients found;
  found.input = gradients.x;
  found.other = gradients.other;
  if (c.mode.parameters) found.weights = {{node.weights[0], gradients.scale}, {node.weights[1], gradients.shift}};
  return found;
}

// ---- linear ----

at::Tensor linearForward(const StepContext& c, const at::Tensor& input, Residuals& kept) {
  const at::Tensor x = input.to(at::kFloat);
  if (c.mode.gradients()) {
    kept.filter = c.weight(0);
    if (c.mode.parameters) kept.x = x;
  }
  return at::addmm(c.weight(1), tf32::factor(x), tf32::factor(c.weight(0)));
}

StepGradients linearBackward(const StepContext& c, const at::Tensor& dy, const Residuals& kept, bool wantsInput) {
  StepGradients found;
  const at::Tensor factor = tf32::factor(dy);
  if (wantsInput) found.input = at::matmul(factor, tf32::factor(kept.filter).t());
  if (c.mode.parameters)
    found.weights = {{c.node().weights[0], at::matmul(tf32::factor(kept.x).t(), factor)}, {c.node().weights[1], at::sum(dy, {0})}};
  return found;
}

// ---- pooling ----

at::Tensor maxPoolForward(const StepContext& c, const at::Tensor& x, Residuals& kept) {
  const std::vector<int64_t> window(2, c.node().size);
  auto [y, places] = at::max_pool2d_with_indices(nchw(x), window, window);
  if (c.mode.gradients()) {
    kept.x = x;
    kept.places = places;
  }
  return nhwc(y);
}

at::Tensor maxPoolBackward(const StepContext& c, const at::Tensor& dy, const Residuals& kept) {
  const std::vector<int64_t> window(2, c.node().size);
  return nhwc(at::max_pool2d_with_indices_backward(nchw(dy), nchw(kept.x), window, window, {0, 0}, {1, 1}, false, kept.places));
}

at::Tensor averageBackward(const at::Tensor& dy, const std::vector<int64_t>& shape) {
  const double share = 1.0 / static_cast<double>(shape[1] * shape[2]);
  return at::mul(dy, share).view({shape[0], 1, 1, shape[3]}).expand(shape).contiguous();
}

at::Tensor padBackward(const at::Tensor& dy, const Node& node, const std::vector<int64_t>& shape) {
  const auto& sides = node.geometry.padding;
  return dy.narrow(1, sides[0], shape[1]).narrow(2, sides[2], shape[2]).contiguous();
}

}  // namespace

at::Tensor stepForward(const StepContext& c, const at::Tensor& x, const at::Tensor& other, Residuals& kept) {
  const Node& node = c.node();
  if (c.mode.gradients() && x.defined()) kept.shape = x.sizes().vec();
  switch (node.op) {
    case Op::input: return x;
    case Op::normalize: return at::div(at::sub(x, node.mean), node.deviation);
    case Op::pad: {
      const auto& sides = node.geometry.padding;
      return at::constant_pad_nd(x, {0, 0, sides[2], sides[3], sides[0], sides[1]});
    }
    case Op::convolution: return convolutionForward(c, x, other, kept);
    case Op::norm: return normForward(c, x, other, kept);
    case Op::relu: {
      at::Tensor y = at::relu(x);
      if (c.mode.gradients()) kept.y = y;
      return y;
    }
    case Op::silu:
      if (c.mode.gradients()) kept.x = x;
      return at::silu(x);
    case Op::add: return at::add(x, other);
    case Op::maxPool: return maxPoolForward(c, x, kept);
    case Op::averagePool: return at::mean(x, {1, 2}, false, at::kFloat);
    case Op::flatten: return x.contiguous().reshape({x.size(0), -1}).to(at::kFloat);
    case Op::linear: return linearForward(c, x, kept);
  }
  throw std::logic_error("a layer without a forward pass");
}

StepGradients stepBackward(const StepContext& c, const at::Tensor& dOutput, const at::Tensor& more, const Residuals& kept,
                           bool wantsInput) {
  const Node& node = c.node();
  if (node.op == Op::convolution) return convolutionBackward(c, dOutput, more, kept, wantsInput);
  if (node.op == Op::norm) return normBackward(c, dOutput, more, kept);
  if (node.op == Op::relu) return {reluGradient(dOutput, more, kept.y), {}, {}};
  const at::Tensor dy = sumOf(dOutput, more);
  switch (node.op) {
    case Op::normalize: return {at::div(dy, node.deviation), {}, {}};
    case Op::pad: return {padBackward(dy, node, kept.shape), {}, {}};
    case Op::silu: return {at::silu_backward(dy, kept.x), {}, {}};
    case Op::add: return {dy, dy, {}};
    case Op::maxPool: return {maxPoolBackward(c, dy, kept), {}, {}};
    case Op::averagePool: return {averageBackward(dy, kept.shape), {}, {}};
    case Op::flatten: return {dy.reshape(kept.shape), {}, {}};
    case Op::linear: return linearBackward(c, dy, kept, wantsInput);
    default: throw std::logic_error("a layer without a way back");
  }
}

}  // namespace bulwark
