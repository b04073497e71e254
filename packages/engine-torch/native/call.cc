#include "call.h"

#include <ATen/ScalarOps.h>
#include <c10/util/Exception.h>

#include <new>

namespace bulwark {

namespace {

const char* nameOf(at::ScalarType type) {
  switch (type) {
    case at::kFloat: return "float32";
    case at::kInt: return "int32";
    case at::kBool: return "bool";
    case at::kBFloat16: return "bfloat16";
    default: return at::toString(type);
  }
}

/** PyTorch tells a full GPU by a type of its own, a full host by a sentence. */
bool isOutOfMemory(const std::exception& error) {
  if (dynamic_cast<const c10::OutOfMemoryError*>(&error) || dynamic_cast<const std::bad_alloc*>(&error)) return true;
  const std::string_view what = error.what();
  for (const char* phrase : {"can't allocate memory", "not enough memory", "out of memory", "CUDA_ERROR_OUT_OF_MEMORY"})
    if (what.find(phrase) != what.npos) return true;
  return false;
}

}  // namespace

std::string describe(const at::Tensor& tensor) {
  std::string text = nameOf(tensor.scalar_type());
  text += " [";
  for (int64_t axis = 0; axis < tensor.dim(); axis++) text += (axis ? ", " : "") + std::to_string(tensor.size(axis));
  return text + "]";
}

at::ScalarType scalarType(Dtype dtype) {
  switch (dtype) {
    case Dtype::float32: return at::kFloat;
    case Dtype::int32: return at::kInt;
    case Dtype::boolean: return at::kBool;
  }
  throw std::invalid_argument("unknown dtype");
}

void check(napi_status status, const char* what) {
  if (status != napi_ok) throw std::runtime_error(std::string("Node-API refuses: ") + what);
}

Call::Call(napi_env env, napi_callback_info info) : env(env), engine(Engine::of(env)) {
  napi_get_cb_info(env, info, &count_, values_.data(), nullptr, &data);
  // more than any function takes: `operators.cc` refuses them
  count_ = std::min(count_, values_.size());
}

void Call::refuse(std::string_view what) { throw std::invalid_argument("a call with wrong arguments: " + std::string(what)); }

napi_valuetype Call::typeOf(napi_value value) const {
  napi_valuetype type = napi_undefined;
  napi_typeof(env, value, &type);
  return type;
}

bool Call::given(size_t i) const {
  if (i >= count_) return false;
  const napi_valuetype type = typeOf(values_[i]);
  return type != napi_undefined && type != napi_null;
}

Handle Call::handle(size_t i) {
  uint32_t handle;
  if (i >= count_ || napi_get_value_uint32(env, values_[i], &handle) != napi_ok) refuse("a handle is missing");
  return handle;
}

const at::Tensor& Call::tensorAt(napi_value value) {
  uint32_t handle;
  if (napi_get_value_uint32(env, value, &handle) != napi_ok) refuse("a tensor is missing");
  const at::Tensor& tensor = engine.tensors.at(handle).tensor;
  if (mentioned_.size() < 8) mentioned_.push_back(describe(tensor));
  return tensor;
}

std::optional<at::Tensor> Call::optionalTensor(size_t i) {
  if (!given(i)) return std::nullopt;
  return tensor(i);
}

std::vector<napi_value> Call::elements(napi_value array) {
  uint32_t length = 0;
  if (napi_get_array_length(env, array, &length) != napi_ok) refuse("an array is missing");
  std::vector<napi_value> values(length);
  for (uint32_t k = 0; k < length; k++) check(napi_get_element(env, array, k, &values[k]), "an array's element");
  return values;
}

std::vector<at::Tensor> Call::tensors(size_t i) {
  std::vector<at::Tensor> all;
  for (napi_value value : elements(values_[i])) all.push_back(tensorAt(value));
  return all;
}

std::vector<Handle> Call::handles(size_t i) {
  std::vector<Handle> all;
  for (int64_t handle : integers(i)) all.push_back(static_cast<Handle>(handle));
  return all;
}

double Call::numberOf(napi_value value) {
  double number;
  if (napi_get_value_double(env, value, &number) != napi_ok) refuse("a number is missing");
  return number;
}

double Call::number(size_t i) {
  if (i >= count_) refuse("a number is missing");
  return numberOf(values_[i]);
}

int64_t Call::integer(size_t i) { return static_cast<int64_t>(number(i)); }

bool Call::flag(size_t i) {
  bool flag = false;
  if (i < count_) napi_get_value_bool(env, values_[i], &flag);
  return flag;
}

std::string Call::textOf(napi_value value) {
  size_t length = 0;
  if (napi_get_value_string_utf8(env, value, nullptr, 0, &length) != napi_ok) refuse("a text is missing");
  std::string text(length, '\0');
  napi_get_value_string_utf8(env, value, text.data(), length + 1, &length);
  return text;
}

std::string Call::text(size_t i) {
  if (i >= count_) refuse("a text is missing");
  return textOf(values_[i]);
}

std::vector<double> Call::numbers(size_t i) {
  if (i >= count_) refuse("an array is missing");
  std::vector<double> all;
  for (napi_value value : elements(values_[i])) all.push_back(numberOf(value));
  return all;
}

std::vector<int64_t> Call::integers(size_t i) {
  const std::vector<double> all = numbers(i);
  return {all.begin(), all.end()};
}

std::pair<void*, size_t> Call::typedArray(size_t i, at::ScalarType type) {
  napi_typedarray_type found;
  size_t length, offset;
  void* memory;
  napi_value buffer;
  const napi_typedarray_type wanted = type == at::kFloat ? napi_float32_array : type == at::kInt ? napi_int32_array : napi_uint8_array;
  if (i >= count_ || napi_get_typedarray_info(env, values_[i], &found, &length, &memory, &buffer, &offset) != napi_ok || found != wanted)
    refuse("a typed array of the tensor's type is missing");
  return {memory, length};
}

napi_value Call::none() {
  napi_value value;
  napi_get_undefined(env, &value);
  return value;
}

napi_value Call::result(Handle handle) {
  napi_value value;
  check(napi_create_uint32(env, handle, &value), "a number");
  return value;
}

napi_value Call::result(double number) {
  napi_value value;
  check(napi_create_double(env, number, &value), "a number");
  return value;
}

napi_value Call::result(std::string_view text) {
  napi_value value;
  check(napi_create_string_utf8(env, text.data(), text.size(), &value), "a text");
  return value;
}

napi_value Call::result(const std::vector<napi_value>& values) {
  napi_value array;
  check(napi_create_array_with_length(env, values.size(), &array), "an array");
  for (size_t k = 0; k < values.size(); k++) napi_set_element(env, array, static_cast<uint32_t>(k), values[k]);
  return array;
}

napi_value Call::resultNumbers(const std::vector<double>& values) {
  std::vector<napi_value> all;
  for (double number : values) all.push_back(result(number));
  return result(all);
}

void Call::raise(std::string_view function, const std::exception& error) {
  const auto* torch = dynamic_cast<const c10::Error*>(&error);
  std::string message = std::string(function) + ": " + (torch ? torch->what_without_backtrace() : error.what());
  for (size_t k = 0; k < mentioned_.size(); k++) message += (k ? ", " : " (given ") + mentioned_[k];
  if (!mentioned_.empty()) message += ")";
  napi_throw_error(env, isOutOfMemory(error) ? "TORCH_MEMORY" : "TORCH", message.c_str());
}

namespace {

napi_value enter(napi_env env, napi_callback_info info) {
  Call call(env, info);
  const auto* function = static_cast<const Function*>(call.data);
  return answering(call, function->name, [&] { return function->run(call); });
}

}  // namespace

void provide(napi_env env, napi_value exports, std::initializer_list<Function> functions) {
  for (const Function& each : functions) {
    // functions live as long as the process: they are the same in all environments
    auto* kept = new Function(each);
    napi_value value;
    check(napi_create_function(env, each.name, NAPI_AUTO_LENGTH, enter, kept, &value), "a function");
    check(napi_set_named_property(env, exports, each.name, value), "a property");
  }
}

}  // namespace bulwark
