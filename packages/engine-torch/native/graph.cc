#include "graph.h"

#include <ATen/ops/tensor.h>

#include <algorithm>
#include <map>

namespace bulwark {

namespace {

const std::map<std::string, Op> ops = {
    {"input", Op::input},         {"normalize", Op::normalize}, {"pad", Op::pad},
    {"conv", Op::convolution},    {"batch-norm", Op::norm},     {"relu", Op::relu},
    {"silu", Op::silu},           {"add", Op::add},             {"max-pool", Op::maxPool},
    {"flatten", Op::flatten},     {"linear", Op::linear},       {"global-average-pool", Op::averagePool},
};

/** Places, numbers and lists of numbers of one node, read in order. */
class Reader {
 public:
  Reader(Call& call, napi_value node) : call_(call), values_(call.elements(node)) {}
  Op op() {
    const std::string name = call_.textOf(next());
    const auto found = ops.find(name);
    if (found == ops.end()) throw std::invalid_argument("passes know no layer " + name);
    return found->second;
  }
  double number() { return call_.numberOf(next()); }
  int place() { return static_cast<int>(number()); }
  std::vector<double> numbers() {
    std::vector<double> all;
    for (napi_value value : call_.elements(next())) all.push_back(call_.numberOf(value));
    return all;
  }

 private:
  Call& call_;
  std::vector<napi_value> values_;
  size_t at_ = 0;
  napi_value next() {
    if (at_ >= values_.size()) throw std::invalid_argument("a layer is not described in full");
    return values_[at_++];
  }
};

std::vector<int> places(const std::vector<double>& numbers) { return {numbers.begin(), numbers.end()}; }

Node readNode(Reader reader, const at::Device& device) {
  const auto row = [&] { return at::tensor(at::ArrayRef<double>(reader.numbers()), at::kFloat).to(device); };
  Node node{reader.op()};
  if (node.op == Op::input) return node;
  node.input = reader.place();
  switch (node.op) {
    case Op::normalize:
      node.mean = row();
      node.deviation = row();
      break;
    case Op::pad: {
      const auto sides = reader.numbers();
      for (size_t i = 0; i < 4; i++) node.geometry.padding[i] = static_cast<int64_t>(sides.at(i));
      break;
    }
    case Op::convolution: {
      node.weights = places(reader.numbers());
      const auto stride = static_cast<int64_t>(reader.number()), padding = static_cast<int64_t>(reader.number());
      node.geometry.stride = {stride, stride};
      node.geometry.padding = {padding, padding, padding, padding};
      break;
    }
    case Op::norm:
      node.weights = places(reader.numbers());
      node.epsilon = reader.number();
      break;
    case Op::add: node.other = reader.place(); break;
    case Op::maxPool: node.size = static_cast<int64_t>(reader.number()); break;
    case Op::linear: node.weights = places(reader.numbers()); break;
    default: break;
  }
  return node;
}

}  // namespace

Graph readGraph(Call& call, size_t argument) {
  Graph graph;
  for (napi_value each : call.elements(call.value(argument))) {
    Node node = readNode(Reader(call, each), call.engine.device);
    const int next = static_cast<int>(graph.size());
    const bool first = node.op == Op::input;
    if (first != (next == 0) || node.input >= next || node.other >= next || (!first && node.input < 0))
      throw std::invalid_argument("layers come after those that they read, the input first");
    graph.push_back(std::move(node));
  }
  if (graph.empty()) throw std::invalid_argument("a network has no layers");
  return graph;
}

std::vector<Step> planSteps(const Graph& graph, bool fold) {
  const int count = static_cast<int>(graph.size());
  std::vector<std::vector<int>> readers(count);
  for (int id = 0; id < count; id++)
    for (int from : {graph[id].input, graph[id].other})
      if (from >= 0) readers[from].push_back(id);
  /** The node of this kind that alone reads an output, or -1. */
  const auto follower = [&](int id, Op op) {
    return readers[id].size() == 1 && graph[readers[id][0]].op == op ? readers[id][0] : -1;
  };

  std::vector<bool> absorbed(count, false);
  std::vector<Step> steps;
  for (int id = 0; id < count; id++) {
    if (absorbed[id]) continue;
    Step step{id, id};
    const auto absorb = [&](int next) {
      absorbed[next] = true;
      step.output = next;
    };
    const Op op = graph[id].op;
    if (op == Op::convolution || op == Op::norm) {
      const int norm = follower(id, Op::norm);
      if (fold && op == Op::convolution && norm >= 0) {
        step.norm = norm;
        absorb(norm);
      }
      const int sum = follower(step.output, Op::add);
      if (sum >= 0) {
        const int other = graph[sum].input == step.output ? graph[sum].other : graph[sum].input;
        // what is added must be there already
        if (other != step.output && other < id && !absorbed[sum]) {
          step.add = other;
          absorb(sum);
        }
      }
      const int relu = follower(step.output, Op::relu);
      if (relu >= 0) {
        step.relu = true;
        absorb(relu);
      }
    }
    steps.push_back(step);
  }

  std::map<int, size_t> lastReader;
  for (size_t at = 0; at < steps.size(); at++)
    for (int from : {graph[steps[at].node].input, graph[steps[at].node].other, steps[at].add})
      if (from >= 0) lastReader[from] = at;
  for (auto [id, at] : lastReader) steps[at].done.push_back(id);
  return steps;
}

}  // namespace bulwark
