#pragma once
// A network that passes are run of, and a pass: one or more batches of images on their way there and back.

#include <ATen/core/Tensor.h>

#include <functional>
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
  /** The places of the weights that no step before this one has, by steps of `plain`. */
  const std::vector<std::vector<int>> firstUses;
  std::unique_ptr<Recordings> recordings;
  Shapes shapes;

  /** Norms with given statistics are linear; they are folded where nobody asks for gradients in their parts. */
  bool folds(const Mode& mode) const { return !mode.ofBatch && !mode.parameters; }
  const std::vector<Step>& steps(const Mode& mode) const { return folds(mode) ? folded : plain; }
};

/** Gradients in weights, by their places. */
using WeightGradients = std::map<int, at::Tensor>;

/** Is given the gradient in a weight as soon as nothing more will be added to it. */
using TakeGradient = std::function<void(int place, at::Tensor gradient)>;

/** What a pass finds of one batch. */
struct Output {
  at::Tensor logits;
  /** Of each norm that normalised with statistics of the batch, by node. */
  std::vector<std::pair<int, Statistics>> statistics;
  /** What all these lie in, if anything. */
  at::Tensor room;

  /** A copy with memory of its own. */
  Output clone() const;
};

/** One batch. */
class Batch {
 public:
  Batch(Program& program, Weights& weights, const Mode& mode, const at::Tensor& images);

  Output output;

  /**
   * The gradient in the images; those in weights are added to `gradients`, and go on to `take` where they are complete with this batch.
   * Frees residuals as it goes, unless `keep`.
   */
  at::Tensor pullBack(const at::Tensor& dLogits, bool keep, WeightGradients& gradients, const TakeGradient& take = {});
  /** The gradient in images that nothing depends on. */
  at::Tensor zeros() const;

 private:
  Program& program_;
  Weights& weights_;
  const Mode mode_;
  std::vector<int64_t> shape_;
  at::TensorOptions options_;
  /** Zeros for the statistics of all norms; undefined where kernels of our own find them. */
  at::Tensor roomForStatistics(const at::Tensor& images) const;

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
  /** Whether algorithms may be measured on its way back, too. */
  bool measured = true;

  struct PulledBack {
    std::vector<at::Tensor> images;
    WeightGradients weights;
  };
  /**
   * @param dLogits of each batch; none: nothing depends on its logits
   * @param take gets gradients in weights while others are still being found; what it does not get is returned
   */
  virtual PulledBack pullBack(const std::vector<std::optional<at::Tensor>>& dLogits, bool keep, const TakeGradient& take) = 0;
};

/** A pass whose kernels are launched one by one. */
class EagerPass : public Pass {
 public:
  EagerPass(std::shared_ptr<Program> program, const Mode& mode, const std::vector<at::Tensor>& images);
  PulledBack pullBack(const std::vector<std::optional<at::Tensor>>& dLogits, bool keep, const TakeGradient& take) override;

 private:
  std::shared_ptr<Program> program_;
  std::vector<Batch> batches_;
};

}  // namespace bulwark
