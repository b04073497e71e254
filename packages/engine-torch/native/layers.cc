// Convolutions one by one, for passes that run op by op. Filters are HWIO, as TensorFlow.js has them.

#include <ATen/ops/empty.h>
#include <ATen/ops/relu.h>

#include "call.h"
#include "convolution.h"

namespace bulwark {

namespace {

/** [strides (2), padding (4), dilations (2), groups] */
Geometry geometryOf(Call& call, size_t i) {
  const auto n = call.integers(i);
  if (n.size() != 9) throw std::invalid_argument("a geometry has 9 numbers");
  return {{n[0], n[1]}, {n[2], n[3], n[4], n[5]}, {n[6], n[7]}, n[8]};
}

/**
 * A filter as PyTorch's convolutions want it. The first time that one is read, its memory is put in that order for good: same
 * shape and values for JavaScript, no copy at each call.
 */
at::Tensor filterOf(Call& call, size_t i) {
  call.tensor(i);  // for messages
  at::Tensor& stored = call.engine.tensors.at(call.handle(i)).tensor;
  at::Tensor filter = stored.permute({3, 2, 0, 1});
  if (filter.is_contiguous(at::MemoryFormat::ChannelsLast)) return filter;
  filter = filter.contiguous(at::MemoryFormat::ChannelsLast);
  stored = filter.permute({2, 3, 1, 0});
  return filter;
}

/** conv2d(x, filter, bias or null, geometry, relu?) -> handle */
napi_value conv2d(Call& call) {
  const at::Tensor& x = call.tensor(0);
  const at::Tensor filter = filterOf(call, 1);
  at::Tensor y = convolve(x, filter, call.optionalTensor(2), geometryOf(call, 3));
  if (call.flag(4)) y.relu_();
  return call.result(y);
}

/** conv2dInputGradient(dy, filter, input's shape, geometry) -> handle */
napi_value conv2dInputGradient(Call& call) {
  const at::Tensor& dy = call.tensor(0);
  const at::Tensor filter = filterOf(call, 1);
  return call.result(convolutionInputGradient(dy, filter, call.integers(2), geometryOf(call, 3)));
}

/** conv2dFilterGradient(x, dy, filter's shape, geometry) -> handle */
napi_value conv2dFilterGradient(Call& call) {
  const at::Tensor &x = call.tensor(0), &dy = call.tensor(1);
  const auto shape = call.integers(2);
  if (shape.size() != 4) throw std::invalid_argument("a filter's shape has 4 numbers");
  const auto options = dy.options().memory_format(at::MemoryFormat::ChannelsLast);
  const at::Tensor filter = at::empty({shape[3], shape[2], shape[0], shape[1]}, options);  // only its shape is read
  return call.result(convolutionFilterGradient(dy, x, filter, geometryOf(call, 3)).permute({2, 3, 1, 0}));
}

}  // namespace

void provideLayers(napi_env env, napi_value exports) {
  provide(env, exports,
          {{"conv2d", conv2d}, {"conv2dInputGradient", conv2dInputGradient}, {"conv2dFilterGradient", conv2dFilterGradient}});
}

}  // namespace bulwark
