// PyTorch's device `meta` computes shapes only, and fails where a value would be read: whatever a step reads back or uploads without need
// shows there, without a GPU. These operators have their shapes in PyTorch's Python part alone.

#include "meta.h"

#include <ATen/ExpandUtils.h>
#include <ATen/core/Tensor.h>
#include <ATen/native/ConvUtils.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <torch/library.h>

#include <memory>

namespace bulwark {

namespace {

using Three = std::tuple<at::Tensor, at::Tensor, at::Tensor>;

at::Tensor convolution(const at::Tensor& x, const at::Tensor& filter, const std::optional<at::Tensor>&, c10::SymIntArrayRef stride,
                       c10::SymIntArrayRef padding, c10::SymIntArrayRef dilation, bool, c10::SymIntArrayRef, c10::SymInt) {
  const auto integers = [](c10::SymIntArrayRef given) { return c10::asIntArrayRefSlow(given, __FILE__, __LINE__).vec(); };
  const auto shape = at::native::conv_output_size(x.sizes(), filter.sizes(), integers(padding), integers(stride), integers(dilation));
  return at::empty(shape, x.options().memory_format(at::MemoryFormat::ChannelsLast));
}

Three convolutionBackward(const at::Tensor&, const at::Tensor& x, const at::Tensor& filter, c10::SymIntArrayRef, c10::SymIntArrayRef,
                          c10::SymIntArrayRef, bool, c10::SymIntArrayRef, c10::SymInt, std::array<bool, 3> wanted) {
  return {wanted[0] ? at::empty_like(x) : at::Tensor(), wanted[1] ? at::empty_like(filter) : at::Tensor(), at::Tensor()};
}

Three batchNorm(const at::Tensor& x, const std::optional<at::Tensor>&, const std::optional<at::Tensor>&, const std::optional<at::Tensor>&,
                const std::optional<at::Tensor>&, bool, double, double) {
  const auto row = [&] { return at::empty({x.size(1)}, x.options().dtype(at::kFloat)); };
  return {at::empty_like(x), row(), row()};
}

Three batchNormBackward(const at::Tensor&, const at::Tensor& x, const std::optional<at::Tensor>& scale, const std::optional<at::Tensor>&,
                        const std::optional<at::Tensor>&, const std::optional<at::Tensor>&, const std::optional<at::Tensor>&, bool, double,
                        std::array<bool, 3>) {
  return {at::empty_like(x), at::empty_like(*scale), at::empty_like(*scale)};
}

at::Tensor where(const at::Tensor& condition, const at::Tensor& yes, const at::Tensor& no) {
  const auto shape = at::infer_size(condition.sizes(), at::infer_size(yes.sizes(), no.sizes()));
  return at::empty(shape, condition.options().dtype(yes.scalar_type()));
}

at::Tensor& logicalOfTwo(const at::Tensor& a, const at::Tensor& b, at::Tensor& result) {
  result.resize_(at::infer_size(a.sizes(), b.sizes()));
  return result;
}

at::Tensor& logicalNot(const at::Tensor& x, at::Tensor& result) {
  result.resize_(x.sizes());
  return result;
}

}  // namespace

void registerShapes() {
  static const auto library = [] {
    auto made = std::make_unique<torch::Library>(torch::Library::IMPL, "aten", c10::DispatchKey::Meta, __FILE__, __LINE__);
    made->impl("convolution_overrideable", TORCH_FN(convolution));
    made->impl("convolution_backward_overrideable", TORCH_FN(convolutionBackward));
    made->impl("native_batch_norm", TORCH_FN(batchNorm));
    made->impl("native_batch_norm_backward", TORCH_FN(batchNormBackward));
    made->impl("where.self", TORCH_FN(where));
    made->impl("logical_and.out", TORCH_FN(logicalOfTwo));
    made->impl("logical_or.out", TORCH_FN(logicalOfTwo));
    made->impl("logical_xor.out", TORCH_FN(logicalOfTwo));
    made->impl("logical_not.out", TORCH_FN(logicalNot));
    return made;
  }();
}

}  // namespace bulwark
