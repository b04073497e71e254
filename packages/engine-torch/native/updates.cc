// Arithmetic on all weights at once, in place: what was computed of their addresses before holds after.

#include <ATen/ops/_foreach_add.h>
#include <ATen/ops/_foreach_lerp.h>
#include <ATen/ops/_foreach_mul.h>
#include <ATen/ops/_fused_sgd.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/sum.h>

#include <unordered_set>

#include "call.h"
#include "pass.h"

namespace bulwark {

namespace {

/**
 * Tensors to be written. Each is written where it lies, unless something else still reads that memory (a view, a pass on its way): then
 * its handle gets memory of its own, and whoever reads the old one keeps what it saw.
 */
std::vector<at::Tensor> writable(Call& call, size_t argument) {
  Engine& engine = call.engine;
  const std::vector<Handle> handles = call.handles(argument);
  const std::unordered_set<Handle> written(handles.begin(), handles.end());
  engine.programs.each([&](const std::shared_ptr<Program>& program) { program->weights.release(written); });
  std::vector<at::Tensor> tensors;
  for (Handle handle : handles) {
    at::Tensor& tensor = engine.tensors.at(handle).tensor;
    if (tensor.use_count() > 1 || tensor.storage().use_count() > 1) tensor = tensor.clone();
    engine.written(handle);
    tensors.push_back(tensor);
  }
  return tensors;
}

/** Tensors laid out in memory as those that they are computed with, which is what kernels for many at once want. */
std::vector<at::Tensor> alike(std::vector<at::Tensor> tensors, const std::vector<at::Tensor>& models) {
  if (tensors.size() != models.size()) throw std::invalid_argument("lists differ in length");
  for (size_t i = 0; i < tensors.size(); i++) {
    if (tensors[i].sizes() != models[i].sizes()) throw std::invalid_argument(describe(tensors[i]) + " is to update " + describe(models[i]));
    if (tensors[i].strides() != models[i].strides()) tensors[i] = at::empty_like(models[i]).copy_(tensors[i]);
  }
  return tensors;
}

/** The same for tensors that are written: the handle's memory is laid out anew, once. */
std::vector<at::Tensor> writableAlike(Call& call, size_t argument, const std::vector<at::Tensor>& models) {
  std::vector<at::Tensor> tensors = alike(writable(call, argument), models);
  const std::vector<Handle> handles = call.handles(argument);
  for (size_t i = 0; i < tensors.size(); i++) call.engine.tensors.at(handles[i]).tensor = tensors[i];
  return tensors;
}

/** plusScaled(a, b, factor) -> handles of a + factor b */
napi_value plusScaled(Call& call) {
  const auto b = call.tensors(1);
  const auto a = alike(call.tensors(0), b);
  std::vector<napi_value> results;
  if (!a.empty())
    for (at::Tensor& sum : at::_foreach_add(a, b, call.number(2))) results.push_back(call.result(std::move(sum)));
  return call.result(results);
}

/** sgd(parameters, gradients, velocity or [], rate, momentum, Nesterov's?) */
napi_value sgd(Call& call) {
  std::vector<at::Tensor> parameters = writable(call, 0);
  if (parameters.empty()) return call.none();
  const auto gradients = alike(call.tensors(1), parameters);
  const double rate = call.number(3), momentum = call.number(4);
  const bool nesterov = call.flag(5);
  std::vector<at::Tensor> velocity;
  if (momentum != 0) velocity = writableAlike(call, 2, parameters);
  const at::Device device = parameters.front().device();
  if (device.is_cpu() || device.is_cuda()) {
    at::_fused_sgd_(parameters, gradients, velocity, /*weight_decay=*/0, momentum, rate, /*dampening=*/0, nesterov, /*maximize=*/false,
                    /*is_first_step=*/false);
    return call.none();
  }
  if (momentum == 0) {
    at::_foreach_add_(parameters, gradients, -rate);
    return call.none();
  }
  at::_foreach_mul_(velocity, momentum);
  at::_foreach_add_(velocity, gradients);
  if (nesterov)
    at::_foreach_add_(parameters, at::_foreach_add(gradients, velocity, momentum), -rate);
  else
    at::_foreach_add_(parameters, velocity, -rate);
  return call.none();
}

/** approach(tensors, targets, share): tensors += share (targets - tensors) */
napi_value approach(Call& call) {
  std::vector<at::Tensor> tensors = writable(call, 0);
  if (tensors.empty()) return call.none();
  at::_foreach_lerp_(tensors, alike(call.tensors(1), tensors), call.number(2));
  return call.none();
}

std::vector<at::Scalar> scalars(Call& call, size_t argument, size_t count) {
  const std::vector<double> numbers = call.numbers(argument);
  if (numbers.size() != count) throw std::invalid_argument("there is one factor for each tensor");
  return {numbers.begin(), numbers.end()};
}

/** blend(tensors, keep, values, add): tensors = keep tensors + add values */
napi_value blend(Call& call) {
  std::vector<at::Tensor> tensors = writable(call, 0);
  if (tensors.empty()) return call.none();
  const auto values = alike(call.tensors(2), tensors);
  const auto keep = scalars(call, 1, tensors.size()), add = scalars(call, 3, tensors.size());
  at::_foreach_mul_(tensors, keep);
  at::_foreach_add_(tensors, at::_foreach_mul(values, add));
  return call.none();
}

/** sums(tensors) -> the sum of each, in one tensor */
napi_value sums(Call& call) {
  std::vector<at::Tensor> found;
  for (const at::Tensor& each : call.tensors(0)) found.push_back(at::sum(each));
  return call.result(found.empty() ? at::empty({0}, at::TensorOptions(at::kFloat).device(call.engine.device)) : at::stack(found));
}

}  // namespace

void provideUpdates(napi_env env, napi_value exports) {
  provide(env, exports, {{"plusScaled", plusScaled}, {"sgd", sgd}, {"approach", approach}, {"blend", blend}, {"sums", sums}});
}

}  // namespace bulwark
