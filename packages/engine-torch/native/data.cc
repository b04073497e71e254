// Tensors of the engine: made of JavaScript's arrays, read back, freed.

#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/full.h>

#include <cstring>

#include "call.h"

namespace bulwark {

namespace {

/** write(shape, values, dtype) -> handle; copies. */
napi_value write(Call& call) {
  const auto shape = call.integers(0);
  const at::ScalarType type = call.dtype(2);
  auto [memory, length] = call.typedArray(1, type);
  int64_t size = 1;
  for (int64_t n : shape) size *= n;
  if (size != static_cast<int64_t>(length)) throw std::invalid_argument("shape and values differ in size");
  // PyTorch wants an address, also of nothing
  at::Tensor host = length ? at::from_blob(memory, shape, type) : at::empty(shape, type);
  const at::Device device = call.engine.device;
  if (!device.is_cpu()) call.engine.uploads++;
  return call.result(host.to(host.options().device(device), /*non_blocking=*/false, /*copy=*/true));
}

/** A tensor as JavaScript can have it: on the host, without holes, float32 in place of bfloat16. */
at::Tensor readable(at::Tensor tensor) {
  if (at::isReducedFloatingType(tensor.scalar_type())) tensor = tensor.to(at::kFloat);
  return tensor.contiguous().to(at::kCPU);
}

napi_value typedArrayOf(napi_env env, const at::Tensor& tensor) {
  const at::ScalarType type = tensor.scalar_type();
  const napi_typedarray_type array = type == at::kInt ? napi_int32_array : type == at::kBool ? napi_uint8_array : napi_float32_array;
  if (array == napi_float32_array && type != at::kFloat) throw std::invalid_argument("JavaScript cannot read " + describe(tensor));
  void* memory;
  napi_value buffer, result;
  check(napi_create_arraybuffer(env, tensor.nbytes(), &memory, &buffer), "an array");
  if (tensor.nbytes()) std::memcpy(memory, tensor.const_data_ptr(), tensor.nbytes());
  check(napi_create_typedarray(env, array, static_cast<size_t>(tensor.numel()), buffer, 0, &result), "an array");
  return result;
}

void countDownload(Call& call, const at::Tensor& tensor) {
  if (!tensor.is_cpu() && tensor.numel() > 1) call.engine.downloads++;
}

/** read(handle) -> typed array; waits for the device. */
napi_value read(Call& call) {
  const at::Tensor& tensor = call.tensor(0);
  countDownload(call, tensor);
  return typedArrayOf(call.env, readable(tensor));
}

/** Reading on a thread of Node's pool, which waits for the device while the event loop goes on. */
struct Reading {
  at::Tensor tensor;
  std::string failure;
  napi_deferred promise = nullptr;
  napi_async_work work = nullptr;
};

void readElsewhere(napi_env, void* data) {
  auto* reading = static_cast<Reading*>(data);
  c10::InferenceMode inference;
  try {
    reading->tensor = readable(reading->tensor);
  } catch (const std::exception& error) {
    reading->failure = error.what();
  }
}

void finishReading(napi_env env, napi_status status, void* data) {
  std::unique_ptr<Reading> reading(static_cast<Reading*>(data));
  napi_delete_async_work(env, reading->work);
  if (status != napi_ok && reading->failure.empty()) reading->failure = "reading was cancelled";
  try {
    if (!reading->failure.empty()) throw std::runtime_error(reading->failure);
    napi_resolve_deferred(env, reading->promise, typedArrayOf(env, reading->tensor));
  } catch (const std::exception& error) {
    napi_value text, code, reason;
    napi_create_string_utf8(env, error.what(), NAPI_AUTO_LENGTH, &text);
    napi_create_string_utf8(env, "TORCH", NAPI_AUTO_LENGTH, &code);
    napi_create_error(env, code, text, &reason);
    napi_reject_deferred(env, reading->promise, reason);
  }
}

/** readAsync(handle) -> promise of a typed array. */
napi_value readAsync(Call& call) {
  const at::Tensor& tensor = call.tensor(0);
  countDownload(call, tensor);
  auto reading = std::make_unique<Reading>();
  reading->tensor = tensor;
  napi_value promise, name = call.result(std::string_view("bulwark torch read"));
  check(napi_create_async_work(call.env, nullptr, name, readElsewhere, finishReading, reading.get(), &reading->work), "work");
  check(napi_create_promise(call.env, &reading->promise, &promise), "a promise");
  check(napi_queue_async_work(call.env, reading->work), "work");
  reading.release();
  return promise;
}

/** full(shape, value, dtype, on the host?) -> handle; a number on the host goes to kernels as an argument, without a copy. */
napi_value full(Call& call) {
  const at::Device device = call.flag(3) ? at::Device(at::kCPU) : call.engine.device;
  return call.result(at::full(call.integers(0), call.number(1), at::TensorOptions(call.dtype(2)).device(device)));
}

/** describe(handle) -> [dtype, ...shape] */
napi_value describeTensor(Call& call) {
  const at::Tensor& tensor = call.tensor(0);
  std::vector<double> facts;
  for (Dtype each : {Dtype::float32, Dtype::int32, Dtype::boolean})
    if (tensor.scalar_type() == scalarType(each)) facts.push_back(static_cast<double>(each));
  if (facts.empty()) throw std::invalid_argument("TensorFlow.js has no such type");
  for (int64_t n : tensor.sizes()) facts.push_back(static_cast<double>(n));
  return call.resultNumbers(facts);
}

/** dispose(handles) */
napi_value dispose(Call& call) {
  for (Handle handle : call.handles(0)) call.engine.tensors.take(handle);
  return call.none();
}

/** alias(handle) -> another handle of the same tensor */
napi_value alias(Call& call) { return call.result(call.tensor(0)); }

}  // namespace

void provideData(napi_env env, napi_value exports) {
  provide(env, exports,
          {{"write", write},
           {"read", read},
           {"readAsync", readAsync},
           {"full", full},
           {"describe", describeTensor},
           {"dispose", dispose},
           {"alias", alias}});
}

}  // namespace bulwark
