// The addon that brings ops of our own to the TensorFlow that a binding has loaded.

#include <dlfcn.h>
#include <node_api.h>

#include <vector>

#include "operators.h"
#include "threads.h"
#include "winograd.h"

namespace {

std::vector<napi_value> given(napi_env env, napi_callback_info info, size_t count) {
  std::vector<napi_value> values(count);
  napi_get_cb_info(env, info, &count, values.data(), nullptr, nullptr);
  return values;
}

int64_t integer(napi_env env, napi_value value) {
  int64_t number = 0;
  napi_get_value_int64(env, value, &number);
  return number;
}

/** The library keeps pointers into this file, which Node closes when the worker thread ends that loaded it. */
void stay() {
  Dl_info self;
  if (dladdr(reinterpret_cast<const void*>(&stay), &self)) dlopen(self.dli_fname, RTLD_NOW | RTLD_NODELETE);
}

/** `register(threads)`: what stands in the way, or an empty string. */
napi_value registerAll(napi_env env, napi_callback_info info) {
  stay();
  bulwark::useThreads(integer(env, given(env, info, 1)[0]));
  const std::string obstacle = bulwark::registerOperators();
  napi_value said = nullptr;
  napi_create_string_utf8(env, obstacle.c_str(), obstacle.size(), &said);
  return said;
}

/** `worthwhile(images, height, width, in, out, kept)`: is it faster than the library's convolution? */
napi_value worthwhile(napi_env env, napi_callback_info info) {
  const auto values = given(env, info, 6);
  int64_t sizes[5];
  for (int i = 0; i < 5; i++) sizes[i] = integer(env, values[i]);
  bool kept = false;
  napi_get_value_bool(env, values[5], &kept);
  napi_value answer = nullptr;
  napi_get_boolean(env, bulwark::winograd::worthwhile({sizes[0], sizes[1], sizes[2], sizes[3], sizes[4]}, kept), &answer);
  return answer;
}

void provide(napi_env env, napi_value exports, const char* name, napi_callback call) {
  napi_value value;
  if (napi_create_function(env, name, NAPI_AUTO_LENGTH, call, nullptr, &value) == napi_ok) napi_set_named_property(env, exports, name, value);
}

}  // namespace

extern "C" __attribute__((visibility("default"))) napi_value napi_register_module_v1(napi_env env, napi_value exports) {
  provide(env, exports, "register", registerAll);
  provide(env, exports, "worthwhile", worthwhile);
  return exports;
}
