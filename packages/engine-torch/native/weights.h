#pragma once
// The weights of a network as its passes read them: filters in PyTorch's order, in the type that is computed in, with norms multiplied in.
// They are made when first read and kept until the content of what they are made of changes.

#include <ATen/core/Tensor.h>

#include <functional>
#include <map>
#include <string>
#include <tuple>
#include <unordered_set>
#include <vector>

#include "engine.h"
#include "graph.h"

namespace bulwark {

struct Filter {
  /** OIHW, in channels_last memory; undefined where only the transformed one was asked for. */
  at::Tensor filter;
  /** [channels], or undefined. */
  at::Tensor bias;
  /** The filter as Winograd convolution takes it, where that was asked for. */
  at::Tensor transformed;
};

/** Where a weight lies. */
struct WeightPlace {
  const void* address;
  std::vector<int64_t> strides;
  bool operator==(const WeightPlace&) const = default;
};

class Weights {
 public:
  explicit Weights(const Graph& graph) : graph_(graph) {}

  /** Reads from these tensors of JavaScript's from now on. */
  void bind(Engine& engine, std::vector<Handle> handles);
  /** Reads from these, whose content may change without notice: what was made of them holds until it is made anew. */
  void bind(std::vector<at::Tensor> views) { views_ = std::move(views); }

  std::vector<WeightPlace> places() const;
  /** Numbers that change with the content of any weight. */
  std::vector<uint64_t> contents() const;
  /** The weights without a share in their memory, which therefore may still be written in place. */
  std::vector<at::Tensor> views() const;

  /** A weight as it is. */
  const at::Tensor& at(int place) const;
  /** A convolution's filter and bias, with the norm that follows it multiplied in where one is named. */
  const Filter& filter(const Step& step, at::ScalarType type);
  /** Makes the filters of all these steps anew. */
  void make(const std::vector<Step>& steps, at::ScalarType type);
  /** The same with the filter transformed for Winograd convolution. */
  const Filter& transformed(const Step& step);

  /** Lets go of tensors that are about to be written; what was made of them will be made again. */
  void release(const std::unordered_set<Handle>& written);

  /** Lets go of filters that have norms in them: a pass that weights learn from reads none, and needs the most memory of a step. */
  void releaseFolded();

  /** Forgets what was made of weights. */
  void clear() { made_.clear(); }

 private:
  struct Made {
    bool valid = false;
    std::vector<uint64_t> contents;
    Filter filter;
  };
  const Graph& graph_;
  Engine* engine_ = nullptr;
  std::vector<Handle> handles_;
  std::vector<at::Tensor> views_;
  std::map<std::tuple<int, int, at::ScalarType>, Made> made_;

  Made& current(const Step& step, at::ScalarType type);
  std::vector<Handle> handlesOf(int node, int norm) const;
  std::vector<uint64_t> contentsOf(const Step& step) const;
  /** Filter and bias. */
  std::pair<at::Tensor, at::Tensor> make(const Step& step, at::ScalarType type);
};

}  // namespace bulwark
