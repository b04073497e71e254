#pragma once
// What one step of a pass computes forwards, and backwards for a gradient of its output.

#include <ATen/core/Tensor.h>

#include <utility>
#include <vector>

#include "graph.h"
#include "norm.h"
#include "weights.h"

namespace bulwark {

/** How a pass computes. */
struct Mode {
  /** Normalise with statistics of the batch? */
  bool ofBatch;
  /** What will gradients be asked for with respect to? */
  bool images, parameters;
  /** The type between the layers. */
  at::ScalarType type;

  bool gradients() const { return images || parameters; }
};

/** What a step leaves for its way back. Tensors that its kind does not need are undefined. */
struct Residuals {
  at::Tensor x, y, filter, transformed, scale, shift, inverse, places;
  Statistics statistics;
  std::vector<int64_t> shape;
};

struct StepContext {
  const Graph& graph;
  const Step& step;
  Weights& weights;
  const Mode& mode;
  /** Where a norm's statistics of the batch go, as `normalizeBatch` takes it. */
  at::Tensor room{};

  const Node& node() const { return graph[static_cast<size_t>(step.node)]; }
  const at::Tensor& weight(size_t i) const { return weights.at(node().weights.at(i)); }
};

/** The output of a step; `other` is what a fused addition adds. */
at::Tensor stepForward(const StepContext& context, const at::Tensor& x, const at::Tensor& other, Residuals& residuals);

struct StepGradients {
  /** In the input, and in what was added. */
  at::Tensor input, other;
  /** In weights, by their places in the list. */
  std::vector<std::pair<int, at::Tensor>> weights;
};

/** @param more another part of the output's gradient, or undefined; @param wantsInput false where nothing before the step is asked for */
StepGradients stepBackward(const StepContext& context, const at::Tensor& dy, const at::Tensor& more, const Residuals& residuals,
                           bool wantsInput);

}  // namespace bulwark
