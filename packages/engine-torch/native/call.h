#pragma once
// One call from JavaScript: its arguments, its result, its errors.

#include <ATen/core/Tensor.h>
#include <c10/core/InferenceMode.h>
#include <node_api.h>

#include <array>
#include <exception>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine.h"

namespace bulwark {

/** `float32 [2, 3]` */
std::string describe(const at::Tensor& tensor);

/** Tensors by the names of TensorFlow.js's types, in the order of their codes on the JavaScript side. */
enum class Dtype : int64_t { float32, int32, boolean };
at::ScalarType scalarType(Dtype dtype);

class Call {
 public:
  Call(napi_env env, napi_callback_info info);

  const napi_env env;
  Engine& engine;
  void* data = nullptr;

  size_t count() const { return count_; }
  bool given(size_t i) const;
  napi_value value(size_t i) const { return values_[i]; }

  Handle handle(size_t i);
  const at::Tensor& tensor(size_t i) { return tensorAt(values_[i]); }
  std::optional<at::Tensor> optionalTensor(size_t i);
  std::vector<at::Tensor> tensors(size_t i);
  std::vector<Handle> handles(size_t i);
  double number(size_t i);
  int64_t integer(size_t i);
  bool flag(size_t i);
  std::string text(size_t i);
  std::vector<int64_t> integers(size_t i);
  std::vector<double> numbers(size_t i);
  at::ScalarType dtype(size_t i) { return scalarType(static_cast<Dtype>(integer(i))); }
  /** The memory of a typed array of this type of elements. */
  std::pair<void*, size_t> typedArray(size_t i, at::ScalarType type);

  // the same of any value
  const at::Tensor& tensorAt(napi_value value);
  std::vector<napi_value> elements(napi_value array);
  double numberOf(napi_value value);
  std::string textOf(napi_value value);
  napi_valuetype typeOf(napi_value value) const;

  napi_value none();
  napi_value result(at::Tensor tensor) { return result(engine.add(std::move(tensor))); }
  napi_value result(Handle handle);
  napi_value result(double number);
  napi_value result(std::string_view text);
  napi_value result(const std::vector<napi_value>& values);
  napi_value resultNumbers(const std::vector<double>& values);

  /** Throws an exception as a JavaScript error that names the function and the tensors that it was given. */
  void raise(std::string_view function, const std::exception& error);

 private:
  std::array<napi_value, 24> values_;
  size_t count_ = values_.size();
  std::vector<std::string> mentioned_;
  [[noreturn]] void refuse(std::string_view what);
};

/** Checks what N-API says of a call to it. */
void check(napi_status status, const char* what);

/** Runs `work` without PyTorch's bookkeeping for gradients; no C++ exception reaches JavaScript. */
template <typename Work>
napi_value answering(Call& call, std::string_view function, Work work) {
  c10::InferenceMode inference;
  try {
    return work();
  } catch (const std::exception& error) {
    call.raise(function, error);
    return nullptr;
  }
}

/** A function of the addon; its name is the error message's. */
struct Function {
  const char* name;
  napi_value (*run)(Call&);
};

/** Adds functions to what the addon exports. */
void provide(napi_env env, napi_value exports, std::initializer_list<Function> functions);

// one for each file of functions
void provideData(napi_env env, napi_value exports);
void provideOperators(napi_env env, napi_value exports);
void provideSettings(napi_env env, napi_value exports);
void provideLayers(napi_env env, napi_value exports);
void provideUpdates(napi_env env, napi_value exports);
void providePasses(napi_env env, napi_value exports);
void provideSums(napi_env env, napi_value exports);
void provideStore(napi_env env, napi_value exports);
void provideProfile(napi_env env, napi_value exports);

}  // namespace bulwark
