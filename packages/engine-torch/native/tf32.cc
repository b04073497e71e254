#include "tf32.h"

#include <ATen/ops/add.h>
#include <ATen/ops/isnan.h>

#include <limits>

namespace bulwark::tf32 {

namespace {

thread_local bool on_ = false;

/** The bits that TF32 has not, and half of the last one that it has. */
constexpr int32_t lost = (1 << 13) - 1, half = 1 << 12;

}  // namespace

bool emulated() { return on_; }
void emulate(bool on) { on_ = on; }

at::Tensor rounded(const at::Tensor& x) {
  // sign and magnitude: what is carried out of the mantissa makes the exponent one more, and the largest numbers infinite
  at::Tensor bits = at::add(x.view(at::kInt), half);
  bits.bitwise_and_(~lost);
  at::Tensor y = bits.view(at::kFloat);
  // in what is not a number the same sum may give another one
  y.masked_fill_(at::isnan(x), std::numeric_limits<float>::quiet_NaN());
  return y;
}

}  // namespace bulwark::tf32
