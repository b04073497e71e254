#pragma once
// A network as JavaScript describes it, and the steps that a pass of it takes.

#include <cstdint>
#include <string>
#include <vector>

#include "call.h"
#include "convolution.h"

namespace bulwark {

enum class Op { input, normalize, pad, convolution, norm, relu, silu, add, maxPool, averagePool, flatten, linear };

/** One operation. `weights` are places in the list of weights that each pass is given. */
struct Node {
  Op op;
  int input = -1, other = -1;
  /** Convolution: filter, bias or -1. Norm: scale, shift, running mean, running variance. Linear: matrix, bias. */
  std::vector<int> weights;
  Geometry geometry;
  int64_t size = 0;
  double epsilon = 0;
  /** [channels], that images are normalised with, on the device. */
  at::Tensor mean, deviation;
};

using Graph = std::vector<Node>;

/** Reads an array of nodes, `[op, input, ...]` each; the forms are those of `program.ts`. */
Graph readGraph(Call& call, size_t argument);

/** What is computed at once: a node, and what follows it where nothing else reads it. */
struct Step {
  int node;
  /** The node whose output this step gives. */
  int output;
  /** On a convolution: the norm that is multiplied into its filter. */
  int norm = -1;
  /** On a convolution or norm: the node whose output is added. */
  int add = -1;
  /** Then negative values become zero. */
  bool relu = false;
  /** Outputs that no later step reads. */
  std::vector<int> done;
};

/** @param fold norms with given statistics, which are linear maps, become part of the convolutions before them */
std::vector<Step> planSteps(const Graph& graph, bool fold);

}  // namespace bulwark
