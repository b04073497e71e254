#include "filtering.h"

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>
#include <winograd.h>

#include "own-kernels.h"
#include "tf32.h"

namespace bulwark::winograd {

namespace {

Threads threadsOfPyTorch() {
  return {at::get_num_threads(), [](int64_t n, const std::function<void(int64_t)>& work) {
            at::parallel_for(0, n, 1, [&](int64_t begin, int64_t end) {
              for (int64_t i = begin; i < end; i++) work(i);
            });
          }};
}

/** Of images or of a gradient, which have the same height and width. */
Convolution convolutionOf(const at::Tensor& images, const at::Tensor& transformed) {
  return {images.size(0), images.size(1), images.size(2), transformed.size(2), transformed.size(1) * lanes};
}

const float* addressOf(const at::Tensor& tensor) { return tensor.defined() ? tensor.const_data_ptr<float>() : nullptr; }

}  // namespace

bool fits(const at::Tensor& x, at::IntArrayRef filter, const Geometry& g, bool kept) {
  const bool same = g.stride == std::array<int64_t, 2>{1, 1} && g.dilation == std::array<int64_t, 2>{1, 1} && g.groups == 1 &&
      g.padding == std::array<int64_t, 4>{1, 1, 1, 1};
  return ownKernels && x.is_cpu() && x.scalar_type() == at::kFloat && same && filter[2] == 3 && filter[3] == 3 &&
      worthwhile({x.size(0), x.size(1), x.size(2), filter[1], filter[0]}, kept);
}

at::Tensor transformFilter(const at::Tensor& given) {
  const at::Tensor filter = tf32::factor(given);
  const int64_t out = filter.size(0), in = filter.size(1);
  at::Tensor transformed = at::empty({products, out / lanes, in, lanes}, at::TensorOptions(at::kFloat));
  const Filter taps{filter.const_data_ptr<float>(), filter.stride(0), filter.stride(1), filter.stride(2), filter.stride(3)};
  transform(taps, in, out, transformed.data_ptr<float>(), threadsOfPyTorch());
  return transformed;
}

at::Tensor convolve(const at::Tensor& x, const at::Tensor& transformed, const After& after) {
  const at::Tensor input = tf32::factor(x).contiguous(), bias = after.bias, other = after.other.defined() ? after.other.contiguous() : after.other;
  const Convolution shape = convolutionOf(x, transformed);
  at::Tensor y = at::empty({shape.images, shape.height, shape.width, shape.out}, input.options());
  convolve(shape, input.const_data_ptr<float>(), transformed.const_data_ptr<float>(), {addressOf(bias), addressOf(other), after.relu},
           y.data_ptr<float>(), threadsOfPyTorch());
  return y;
}

at::Tensor inputGradient(const at::Tensor& dy, const at::Tensor& transformed) {
  const at::Tensor gradient = tf32::factor(dy).contiguous();
  const Convolution shape = convolutionOf(dy, transformed);
  at::Tensor dx = at::empty({shape.images, shape.height, shape.width, shape.in}, gradient.options());
  convolveGradient(shape, gradient.const_data_ptr<float>(), transformed.const_data_ptr<float>(), dx.data_ptr<float>(), threadsOfPyTorch());
  return dx;
}

at::Tensor filterGradient(const at::Tensor& dy, const at::Tensor& x) {
  const at::Tensor gradient = tf32::factor(dy).contiguous(), input = tf32::factor(x).contiguous();
  const Convolution shape{x.size(0), x.size(1), x.size(2), x.size(3), dy.size(3)};
  at::Tensor found = at::empty({shape.out, shape.in, 3, 3}, input.options(), at::MemoryFormat::ChannelsLast);
  const FilterAt<float> taps{found.data_ptr<float>(), found.stride(0), found.stride(1), found.stride(2), found.stride(3)};
  filterGradient(shape, input.const_data_ptr<float>(), gradient.const_data_ptr<float>(), taps, threadsOfPyTorch());
  return found;
}

}  // namespace bulwark::winograd
