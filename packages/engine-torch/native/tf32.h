#pragma once
// TF32 without a GPU that has it: factors of products are rounded as tensor cores get them, and float32 kernels compute with what is left.

#include <ATen/core/Tensor.h>

namespace bulwark::tf32 {

/** Whether the products of this environment's thread are emulated, as `emulate` said last. */
bool emulated();
void emulate(bool on);

/** Float32 rounded to 10 bits of mantissa: to the nearest, from the middle away from zero, as `cvt.rna.tf32.f32` does. */
at::Tensor rounded(const at::Tensor& x);

/** A factor of a product: rounded where products are emulated and it is float32, else itself. */
inline at::Tensor factor(const at::Tensor& x) {
  return emulated() && x.defined() && x.scalar_type() == at::kFloat ? rounded(x) : x;
}

}  // namespace bulwark::tf32
