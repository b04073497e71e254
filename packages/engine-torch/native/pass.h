#pragma once
// A network that passes are run of, and a pass: one or more batches of images on their way there and back.

#include <ATen/core/Tensor.h>

#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "graph.h"
#include "steps.h"
#include "weights.h"

namespace bulwark {

class Program {
 public:
  explicit Program(Graph graph)
      : graph(std::move(graph)), weights(this->graph), plain(planSteps(this->graph, false)), folded(planSteps(this->graph, true)) {}
  Program(const Program&) = delete;

  const Graph graph;
  Weights weights;
  const std::vector<Step> plain, folded;

  /** Norms with given statistics are linear; they are folded where nobody asks for gradients in their parts. */
  const std::vector<Step>& steps(const Mode& mode) const { return mode.ofBatch || mode.parameters ? plain : folded; }
};

/** Gradients in weights, by their places. */
using WeightGradients = std::map<int, at::Tensor>;

/** One batch. */
class Batch {
 public:
  Batch(Program& program, const Mode& mode, const at::Tensor& images);

  at::Tensor logits;
  struct Statistics {
    int node;
    at::Tensor mean, variance;
  };
  std::vector<Statistics> statistics;

  /** The gradient in the images; those in weights are added to `gradients`. Frees residuals as it goes, unless `keep`. */
  at::Tensor pullBack(const at::Tensor& dLogits, bool keep, WeightGradients& gradients);
  const std::vector<int64_t>& shape() const { return shape_; }

 private:
  Program& program_;
  const Mode mode_;
  std::vector<int64_t> shape_;
  at::TensorOptions options_;
  std::vector<Residuals> residuals_;  // of each step
  std::vector<at::ScalarType> types_;  // of each node's output
};

class Pass {
 public:
  Pass(std::shared_ptr<Program> program, const Mode& mode, const std::vector<at::Tensor>& images);

  const Mode mode;
  std::vector<Batch> batches;

  struct PulledBack {
    std::vector<at::Tensor> images;
    WeightGradients weights;
  };
  /** @param dLogits of each batch; undefined: nothing depends on its logits */
  PulledBack pullBack(const std::vector<std::optional<at::Tensor>>& dLogits, bool keep);

 private:
  std::shared_ptr<Program> program_;
};

}  // namespace bulwark
