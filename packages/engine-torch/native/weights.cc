#include "weights.h"

#include "filtering.h"

#include <ATen/ops/add.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/mul.h>
#include <ATen/ops/neg.h>
#include <ATen/ops/rsqrt.h>
#include <ATen/ops/sub.h>

#include <algorithm>

namespace bulwark {

void Weights::bind(Engine& engine, std::vector<Handle> handles) {
  engine_ = &engine;
  handles_ = std::move(handles);
  for (Handle handle : handles_) engine.tensors.at(handle);  // refuses what was freed
}

std::vector<WeightPlace> Weights::places() const {
  std::vector<WeightPlace> places;
  for (Handle handle : handles_) {
    const at::Tensor& tensor = engine_->tensors.at(handle).tensor;
    places.push_back({tensor.const_data_ptr(), tensor.strides().vec()});
  }
  return places;
}

std::vector<uint64_t> Weights::contents() const {
  std::vector<uint64_t> contents;
  for (Handle handle : handles_) contents.push_back(engine_->tensors.at(handle).content);
  return contents;
}

std::vector<at::Tensor> Weights::views() const {
  std::vector<at::Tensor> views;
  for (Handle handle : handles_) {
    const at::Tensor& tensor = engine_->tensors.at(handle).tensor;
    views.push_back(at::from_blob(tensor.mutable_data_ptr(), tensor.sizes(), tensor.strides(), tensor.options()));
  }
  return views;
}

const at::Tensor& Weights::at(int place) const {
  if (!views_.empty()) return views_.at(static_cast<size_t>(place));
  return engine_->tensors.at(handles_.at(static_cast<size_t>(place))).tensor;
}

std::vector<Handle> Weights::handlesOf(int node, int norm) const {
  std::vector<Handle> handles;
  for (int id : {node, norm})
    if (id >= 0)
      for (int place : graph_[id].weights)
        if (place >= 0) handles.push_back(handles_.at(static_cast<size_t>(place)));
  return handles;
}

std::vector<uint64_t> Weights::contentsOf(const Step& step) const {
  std::vector<uint64_t> contents;
  if (!views_.empty()) return contents;
  for (Handle handle : handlesOf(step.node, step.norm)) contents.push_back(engine_->tensors.at(handle).content);
  return contents;
}

void Weights::release(const std::unordered_set<Handle>& written) {
  for (auto& [of, made] : made_) {
    const auto handles = handlesOf(std::get<0>(of), std::get<1>(of));
    if (std::any_of(handles.begin(), handles.end(), [&](Handle handle) { return written.count(handle) > 0; })) made = {};
  }
}

void Weights::releaseFolded() {
  for (auto& [of, made] : made_)
    if (std::get<1>(of) >= 0) made = {};
}

Weights::Made& Weights::current(const Step& step, at::ScalarType type) {
  Made& made = made_[{step.node, step.norm, type}];
  auto contents = contentsOf(step);
  if (!made.valid || made.contents != contents) made = {true, std::move(contents), {}};
  return made;
}

void Weights::make(const std::vector<Step>& steps, at::ScalarType type) {
  for (const Step& step : steps) {
    if (graph_[static_cast<size_t>(step.node)].op != Op::convolution) continue;
    made_.erase({step.node, step.norm, type});
    filter(step, type);
  }
}

const Filter& Weights::filter(const Step& step, at::ScalarType type) {
  Filter& filter = current(step, type).filter;
  if (!filter.filter.defined()) std::tie(filter.filter, filter.bias) = make(step, type);
  return filter;
}

const Filter& Weights::transformed(const Step& step) {
  Filter& filter = current(step, at::kFloat).filter;
  if (!filter.transformed.defined()) {
    filter.transformed = winograd::transformFilter(this->filter(step, at::kFloat).filter);
    // passes that read this one do not read that
    filter.filter.reset();
  }
  return filter;
}

std::pair<at::Tensor, at::Tensor> Weights::make(const Step& step, at::ScalarType type) {
  const Node& node = graph_[step.node];
  at::Tensor filter = at(node.weights.at(0)).permute({3, 2, 0, 1});
  if (!filter.is_contiguous(at::MemoryFormat::ChannelsLast)) {
    filter = filter.contiguous(at::MemoryFormat::ChannelsLast);
    // for good: same shape and values for JavaScript, and no copy after the next update either, which keeps the order
    if (views_.empty()) engine_->tensors.at(handles_.at(static_cast<size_t>(node.weights[0]))).tensor = filter.permute({2, 3, 1, 0});
  }
  at::Tensor bias = node.weights.at(1) < 0 ? at::Tensor() : at(node.weights[1]);
  if (step.norm >= 0) {
    // s (w x + b - mean) + shift, s = scale / sqrt(variance + epsilon)
    const Node& norm = graph_[step.norm];
    const at::Tensor scale = at::mul(at(norm.weights.at(0)), at::rsqrt(at::add(at(norm.weights.at(3)), norm.epsilon)));
    const at::Tensor& mean = at(norm.weights.at(2));
    bias = at::add(at::mul(bias.defined() ? at::sub(bias, mean) : at::neg(mean), scale), at(norm.weights.at(1)));
    filter = at::mul(filter, scale.view({-1, 1, 1, 1}));
  }
  return {filter.to(type), bias.defined() ? bias.to(type) : bias};
}

}  // namespace bulwark
