#include "pass.h"

#include <ATen/ops/add.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <unordered_set>

#include "recording.h"

namespace bulwark {

namespace {

/** Gradients of one output as they come, of one reader after the other; two stay apart, for who can use them so. */
class Incoming {
 public:
  void add(at::Tensor gradient) {
    if (!first.defined())
      first = std::move(gradient);
    else if (!second.defined())
      second = std::move(gradient);
    else
      first = at::add(first, gradient);
  }
  at::Tensor first, second;
};

/** Whether the way back has to reach each node: what comes before it is asked for, or its own weights. */
std::vector<bool> reachedNodes(const Graph& graph, const Mode& mode) {
  std::vector<bool> reached(graph.size(), false);
  for (size_t id = 0; id < graph.size(); id++) {
    const Node& node = graph[id];
    const auto before = [&](int from) { return from >= 0 && reached[static_cast<size_t>(from)]; };
    const bool own = node.op == Op::input ? mode.images : mode.parameters && !node.weights.empty();
    reached[id] = own || before(node.input) || before(node.other);
  }
  return reached;
}

std::vector<std::vector<int>> firstUsesIn(const Graph& graph, const std::vector<Step>& steps) {
  std::vector<std::vector<int>> uses;
  std::unordered_set<int> known;
  for (const Step& step : steps) {
    uses.emplace_back();
    for (int place : graph[static_cast<size_t>(step.node)].weights)
      if (known.insert(place).second) uses.back().push_back(place);
  }
  return uses;
}

}  // namespace

Output Output::clone() const {
  Output copy{logits.clone(), {}, room.defined() ? room.clone() : at::Tensor()};
  const auto copied = [&](const at::Tensor& tensor) {
    return room.defined() ? copy.room.as_strided(tensor.sizes(), tensor.strides(), tensor.storage_offset() - room.storage_offset()) : tensor.clone();
  };
  for (const auto& [node, found] : statistics)
    copy.statistics.emplace_back(node, Statistics{copied(found.mean), copied(found.variance), found.unbiased});
  return copy;
}

Program::Program(Graph graph)
    : graph(std::move(graph)),
      weights(this->graph),
      plain(planSteps(this->graph, false)),
      folded(planSteps(this->graph, true)),
      firstUses(firstUsesIn(this->graph, plain)),
      recordings(std::make_unique<Recordings>()) {}

Program::~Program() = default;

Batch::Batch(Program& program, Weights& weights, const Mode& mode, const at::Tensor& images)
    : program_(program), weights_(weights), mode_(mode), shape_(images.sizes().vec()), options_(images.options()) {
  const auto& steps = program.steps(mode);
  std::vector<at::Tensor> outputs(program.graph.size());
  output.room = roomForStatistics(images);
  int64_t taken = 0;
  /** The next norm's share. */
  const auto roomFor = [&](const Node& node) {
    if (node.op != Op::norm || !output.room.defined()) return at::Tensor();
    const int64_t channels = weights_.at(node.weights[0]).size(0);
    taken += channels;
    return output.room.narrow(1, taken - channels, channels);
  };
  residuals_.resize(steps.size());
  types_.resize(program.graph.size(), at::kFloat);
  for (size_t at = 0; at < steps.size(); at++) {
    const Step& step = steps[at];
    const Node& node = program.graph[static_cast<size_t>(step.node)];
    const auto outputOf = [&](int id) { return id < 0 ? at::Tensor() : outputs[static_cast<size_t>(id)]; };
    const int other = step.add >= 0 ? step.add : node.other;
    const at::Tensor x = node.op == Op::input ? images : outputOf(node.input);
    Residuals& kept = residuals_[at];
    at::Tensor y = stepForward({program.graph, step, weights_, mode_, roomFor(node)}, x, outputOf(other), kept);
    if (node.op == Op::norm && mode.ofBatch) output.statistics.emplace_back(step.node, kept.statistics);
    types_[static_cast<size_t>(step.output)] = y.scalar_type();
    outputs[static_cast<size_t>(step.output)] = std::move(y);
    for (int id : step.done) outputs[static_cast<size_t>(id)].reset();
  }
  output.logits = outputs.back();
  if (!mode.gradients()) residuals_.clear();
}

at::Tensor Batch::pullBack(const at::Tensor& dLogits, bool keep, WeightGradients& gradients, const TakeGradient& take) {
  const auto& steps = program_.steps(mode_);
  const auto reached = reachedNodes(program_.graph, mode_);
  std::vector<Incoming> incoming(program_.graph.size());
  incoming[static_cast<size_t>(steps.back().output)].add(dLogits);
  const auto give = [&](int id, const at::Tensor& gradient) {
    if (id >= 0 && gradient.defined() && reached[static_cast<size_t>(id)])
      incoming[static_cast<size_t>(id)].add(gradient.to(types_[static_cast<size_t>(id)]));
  };
  for (size_t at = steps.size(); at-- > 0;) {
    const Step& step = steps[at];
    const Node& node = program_.graph[static_cast<size_t>(step.node)];
    if (node.op == Op::input) continue;
    Incoming dy;
    std::swap(dy, incoming[static_cast<size_t>(step.output)]);
    if (dy.first.defined()) {
      const StepContext context{program_.graph, step, weights_, mode_};
      StepGradients found = stepBackward(context, dy.first, dy.second, residuals_[at], reached[static_cast<size_t>(node.input)]);
      dy = {};
      give(node.input, found.input);
      give(step.add >= 0 ? step.add : node.other, found.other);
      for (auto& [place, gradient] : found.weights) {
        at::Tensor& sum = gradients[place];
        sum = sum.defined() ? at::add(sum, gradient) : gradient;
      }
    }
    if (!keep) residuals_[at] = {};
    if (!take || !mode_.parameters) continue;
    for (int place : program_.firstUses[at])
      if (auto found = gradients.extract(place)) take(place, std::move(found.mapped()));
  }
  if (!mode_.images) return {};
  const Incoming& images = incoming[0];
  if (!images.first.defined()) return zeros();
  return images.second.defined() ? at::add(images.first, images.second) : images.first;
}

at::Tensor Batch::roomForStatistics(const at::Tensor& images) const {
  if (!mode_.ofBatch || normalizesItself(images)) return {};
  int64_t channels = 0;
  for (const Node& node : program_.graph)
    if (node.op == Op::norm) channels += weights_.at(node.weights[0]).size(0);
  return at::zeros({2, channels}, images.options().dtype(at::kFloat));
}

at::Tensor Batch::zeros() const { return at::zeros(shape_, options_); }

EagerPass::EagerPass(std::shared_ptr<Program> program, const Mode& mode, const std::vector<at::Tensor>& images)
    : Pass(mode), program_(std::move(program)) {
  for (const at::Tensor& each : images) {
    batches_.emplace_back(*program_, program_->weights, mode, each);
    outputs.push_back(batches_.back().output);
  }
}

Pass::PulledBack EagerPass::pullBack(const std::vector<std::optional<at::Tensor>>& dLogits, bool keep, const TakeGradient& take) {
  if (dLogits.size() != batches_.size()) throw std::invalid_argument("there is one gradient for each batch");
  PulledBack found;
  found.images.resize(batches_.size());
  const auto first = std::find_if(dLogits.begin(), dLogits.end(), [](const auto& given) { return given.has_value(); }) - dLogits.begin();
  // the last batch first, as a tape would go
  for (size_t at = batches_.size(); at-- > 0;) {
    if (dLogits[at])
      found.images[at] = batches_[at].pullBack(*dLogits[at], keep, found.weights, at == static_cast<size_t>(first) ? take : TakeGradient());
    else if (mode.images)
      found.images[at] = batches_[at].zeros();
  }
  return found;
}

}  // namespace bulwark
