#include "operators.h"

#include <array>
#include <memory>
#include <new>
#include <stdexcept>

#include "tensorflow.h"
#include "threads.h"
#include "winograd.h"

namespace bulwark {

namespace {

struct DeleteStatus {
  void operator()(TF_Status* status) const { TF_DeleteStatus(status); }
};
struct DeleteTensor {
  void operator()(TF_Tensor* tensor) const { TF_DeleteTensor(tensor); }
};
using Status = std::unique_ptr<TF_Status, DeleteStatus>;
using Tensor = std::unique_ptr<TF_Tensor, DeleteTensor>;

/** Calls a function of the library, the last argument of which is a status. @throws std::runtime_error what that says */
template <typename Function, typename... Given>
auto checked(Function function, Given... given) {
  const Status status(TF_NewStatus());
  const auto require = [&] {
    if (TF_GetCode(status.get()) != TF_OK) throw std::runtime_error(TF_Message(status.get()));
  };
  if constexpr (std::is_void_v<decltype(function(given..., status.get()))>) {
    function(given..., status.get());
    require();
  } else {
    const auto found = function(given..., status.get());
    require();
    return found;
  }
}

/** Runs `work`, and tells `fail` of what it throws: nothing may be thrown into the library. */
template <typename Work, typename Fail>
void guarded(Work work, Fail fail) {
  TF_Code code = TF_OK;
  std::string message;
  try {
    return work();
  } catch (const std::bad_alloc&) {
    code = TF_RESOURCE_EXHAUSTED;
    message = "OOM: no memory for a convolution";
  } catch (const std::invalid_argument& error) {
    code = TF_INVALID_ARGUMENT;
    message = error.what();
  } catch (const std::exception& error) {
    code = TF_INTERNAL;
    message = error.what();
  }
  const Status status(TF_NewStatus());
  TF_SetStatus(status.get(), code, message.c_str());
  fail(status.get());
}

Tensor input(TF_OpKernelContext* context, int at) {
  TF_Tensor* tensor = nullptr;
  checked(TF_GetInput, context, at, &tensor);
  return Tensor(tensor);
}

const float* numbers(const Tensor& tensor) { return static_cast<const float*>(TF_TensorData(tensor.get())); }

int64_t count(const Tensor& tensor) {
  int64_t product = 1;
  for (int axis = 0; axis < TF_NumDims(tensor.get()); axis++) product *= TF_Dim(tensor.get(), axis);
  return product;
}

void require(bool holds, const char* what) {
  if (!holds) throw std::invalid_argument(what);
}

std::array<int64_t, 4> fourAxes(const Tensor& tensor, const char* otherwise) {
  require(TF_NumDims(tensor.get()) == 4, otherwise);
  std::array<int64_t, 4> shape;
  for (int axis = 0; axis < 4; axis++) shape[axis] = TF_Dim(tensor.get(), axis);
  return shape;
}

/** An attribute of the op that a kernel is made for. */
bool flag(TF_OpKernelConstruction* construction, const char* name) {
  unsigned char value = 0;
  checked(TF_OpKernelConstruction_GetAttrBool, construction, name, &value);
  return value;
}

struct FilterKernel {
  explicit FilterKernel(TF_OpKernelConstruction*) {}

  void compute(TF_OpKernelContext* context) const {
    const auto filter = input(context, 0);
    const auto [rows, columns, in, out] = fourAxes(filter, "a filter is [3, 3, in, out]");
    require(rows == 3 && columns == 3 && winograd::possible(in, out), "a filter is [3, 3, in, out], and these numbers of channels cannot be");
    const std::array<int64_t, 3> shape{winograd::products, in, out};
    const size_t bytes = winograd::products * in * out * sizeof(float);
    const Tensor transformed(checked(TF_AllocateOutput, context, 0, TF_FLOAT, shape.data(), 3, bytes));
    const winograd::Filter place{numbers(filter), 1, out, columns * in * out, in * out};
    winograd::transform(place, in, out, static_cast<float*>(TF_TensorData(transformed.get())), threads());
  }
};

/** The channels of a transformed filter. */
std::array<int64_t, 2> channelsOf(const Tensor& transformed) {
  const auto* const tensor = transformed.get();
  require(TF_NumDims(tensor) == 3 && TF_Dim(tensor, 0) == winograd::products, "a transformed filter comes from BulwarkFilter");
  const int64_t in = TF_Dim(tensor, 1), out = TF_Dim(tensor, 2);
  require(winograd::possible(in, out), "these numbers of channels cannot be");
  return {in, out};
}

struct ConvolutionKernel {
  bool relu;

  explicit ConvolutionKernel(TF_OpKernelConstruction* construction) : relu(flag(construction, "relu")) {}

  void compute(TF_OpKernelContext* context) const {
    const auto x = input(context, 0), transformed = input(context, 1), bias = input(context, 2);
    auto other = input(context, 3);
    const auto [images, height, width, in] = fourAxes(x, "images are [n, height, width, channels]");
    const auto [from, out] = channelsOf(transformed);
    require(from == in, "the filter is for other channels");
    const std::array<int64_t, 4> shape{images, height, width, out};
    require(count(bias) == 0 || count(bias) == out, "a bias is [out], or empty");
    const bool added = TF_NumDims(other.get()) == 4;
    require(added ? fourAxes(other, "") == shape : count(other) == 0, "other images are [n, height, width, out], or empty");
    // a number of `other` is read before its place is written, so where nobody else reads it the output lies there
    const float* const otherNumbers = added ? numbers(other) : nullptr;
    other.reset();
    const int candidate = 3;
    int forwarded = -1;
    const Tensor y(checked(TF_ForwardInputOrAllocateOutput, context, &candidate, added ? 1 : 0, 0, shape.data(), 4, &forwarded));
    if (count(y) == 0) return;
    winograd::convolve({images, height, width, in, out}, numbers(x), numbers(transformed),
                       {count(bias) ? numbers(bias) : nullptr, otherNumbers, relu}, static_cast<float*>(TF_TensorData(y.get())), threads());
  }
};

struct GradientKernel {
  explicit GradientKernel(TF_OpKernelConstruction*) {}

  void compute(TF_OpKernelContext* context) const {
    const auto dy = input(context, 0), transformed = input(context, 1);
    const auto [images, height, width, to] = fourAxes(dy, "gradients are [n, height, width, channels]");
    const auto [in, out] = channelsOf(transformed);
    require(to == out, "the filter is for other channels");
    const int64_t shape[] = {images, height, width, in};
    const Tensor dx(checked(TF_AllocateOutput, context, 0, TF_FLOAT, shape, 4, images * height * width * in * sizeof(float)));
    if (count(dx) == 0) return;
    winograd::convolveGradient({images, height, width, in, out}, numbers(dy), numbers(transformed),
                               static_cast<float*>(TF_TensorData(dx.get())), threads());
  }
};

struct FilterGradientKernel {
  explicit FilterGradientKernel(TF_OpKernelConstruction*) {}

  void compute(TF_OpKernelContext* context) const {
    const auto x = input(context, 0), dy = input(context, 1);
    const auto [images, height, width, in] = fourAxes(x, "images are [n, height, width, channels]");
    const auto [many, rows, columns, out] = fourAxes(dy, "gradients are [n, height, width, channels]");
    require(many == images && rows == height && columns == width, "the gradient is of other images");
    require(winograd::possible(in, out), "these numbers of channels cannot be");
    const int64_t shape[] = {3, 3, in, out};
    const Tensor gradient(checked(TF_AllocateOutput, context, 0, TF_FLOAT, shape, 4, 9 * in * out * sizeof(float)));
    auto* const data = static_cast<float*>(TF_TensorData(gradient.get()));
    const winograd::FilterAt<float> place{data, 1, out, 3 * in * out, in * out};
    winograd::filterGradient({images, height, width, in, out}, numbers(x), numbers(dy), place, threads());
  }
};

template <typename Kernel>
void* make(TF_OpKernelConstruction* construction) {
  Kernel* made = nullptr;
  guarded([&] { made = new Kernel(construction); }, [&](TF_Status* status) { TF_OpKernelConstruction_Failure(construction, status); });
  return made;
}

template <typename Kernel>
void compute(void* kernel, TF_OpKernelContext* context) {
  guarded([&] { static_cast<const Kernel*>(kernel)->compute(context); },
          [&](TF_Status* status) { TF_OpKernelContext_Failure(context, status); });
}

template <typename Kernel>
void destroy(void* kernel) {
  delete static_cast<Kernel*>(kernel);
}

/** Has another build of this addon been there? A second definition of an op would end the process. */
bool known(const char* name) {
  const Status status(TF_NewStatus());
  TF_Buffer* const kernels = TF_GetRegisteredKernelsForOp(name, status.get());
  const bool found = kernels && TF_GetCode(status.get()) == TF_OK && kernels->length > 0;
  if (kernels) TF_DeleteBuffer(kernels);
  return found;
}

/** An op by the names and types of what it takes and gives. */
struct Definition {
  const char* name;
  std::initializer_list<const char*> inputs, attributes;
  const char* output;
};

template <typename Kernel>
void registerOperator(const Definition& definition) {
  if (known(definition.name)) return;
  auto* const op = TF_NewOpDefinitionBuilder(definition.name);
  for (const auto* const each : definition.inputs) TF_OpDefinitionBuilderAddInput(op, each);
  for (const auto* const each : definition.attributes) TF_OpDefinitionBuilderAddAttr(op, each);
  TF_OpDefinitionBuilderAddOutput(op, definition.output);
  TF_OpDefinitionBuilderSetShapeInferenceFunction(op, TF_ShapeInferenceContextSetUnknownShape);
  checked(TF_RegisterOpDefinition, op);
  auto* const kernel = TF_NewKernelBuilder(definition.name, "CPU", make<Kernel>, compute<Kernel>, destroy<Kernel>);
  checked(TF_RegisterKernelBuilder, definition.name, kernel);
}

}  // namespace

std::string registerOperators() {
  static const std::string obstacle = [] {
    try {
      registerOperator<FilterKernel>({"BulwarkFilter", {"filter: float"}, {}, "transformed: float"});
      registerOperator<ConvolutionKernel>(
          {"BulwarkConvolution", {"x: float", "transformed: float", "bias: float", "other: float"}, {"relu: bool"}, "y: float"});
      registerOperator<GradientKernel>({"BulwarkConvolutionGradient", {"dy: float", "transformed: float"}, {}, "dx: float"});
      registerOperator<FilterGradientKernel>({"BulwarkFilterGradient", {"x: float", "dy: float"}, {}, "gradient: float"});
      return std::string();
    } catch (const std::exception& error) {
      return std::string(error.what());
    }
  }();
  return obstacle;
}

}  // namespace bulwark
