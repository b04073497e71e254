#pragma once
// A network that passes are run of, and a pass: one or more batches of images on their way there and back.

#include <ATen/core/Tensor.h>

#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "graph.h"
#include "shapes.h"
#include "steps.h"
#include "weights.h"

namespace bulwark {

class Recordings;

class Program {
 public:
  explicit Program(Graph graph);
  ~Program();
  Program(const Program&) = delete;

  const Graph graph;
  Weights weights;
  const std::vector<Step> plain, folded;
  std::unique_ptr<Recordings> recordings;
  Shapes shapes;

  /** Norms with given statistics are linear; they are folded where nobody asks for gradients in their parts. */
  const std::vector<Step>& steps(const Mode& mode) const { return mode.ofBatch || mode.parameters ? plain : folded; }
};

/** Gradients in weights, by their places. */
using WeightGradients = std::map<int, at::Tensor>;

/** What a pass finds of one batch. */
struct Output {
  at::Tensor logits;
  struct Statistics {
    int node;
    at::Tensor mean, variance;
  };
  std::vector<Statistics> statistics;
};

/** One batch. */
class Batch {
 public:
  Batch(Program& program, Weights& weights, const Mode& mode, const at::Tensor& images);

  Output output;

  /** The gradient in the images; those in weights are added to `gradients`. Frees residuals as it goes, unless `keep`. */
  at::Tensor pullBack(const at::Tensor& dLogits, bool keep, WeightGradients& gradients);
  /** The gradient in images that nothing depends on. */
  at::Tensor zeros() const;

 private:
  Program& program_;
  Weights& weights_;
  const Mode mode_;
  std::vector<int64_t> shape_;
  at::TensorOptions options_;
  std::vector<Residuals> residuals_;  // of each step
  std::vector<at::ScalarType> types_;  // of each node's output
};

/** One or more batches on their way there and back. */
class Pass {
 public:
  explicit Pass(const Mode& mode) : mode(mode) {}
  virtual ~Pass() = default;

  const Mode mode;
  std::vector<Output> outputs;
  /** Whether its way back, too, is worth measuring algorithms. */
  bool frequent = true;

  struct PulledBack {
    std::vector<at::Tensor> images;
    WeightGradients weights;
  };
  /** @param dLogits of each batch; none: nothing depends on its logits */
  virtual PulledBack pullBack(const std::vector<std::optional<at::Tensor>>& dLogits, bool keep) = 0;
};

/** A pass whose kernels are launched one by one. */
class EagerPass : public Pass {
 public:
  EagerPass(std::shared_ptr<Program> program, const Mode& mode, const std::vector<at::Tensor>& images);
  PulledBack pullBack(const std::vector<std::optional<at::Tensor>>& dLogits, bool keep) override;

 private:
  std::shared_ptr<Program> program_;
  std::vector<Batch> batches_;
};

}  // namespace bulwark
