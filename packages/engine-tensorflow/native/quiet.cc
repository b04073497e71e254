// TensorFlow writes notices while its library is being loaded, whatever TF_CPP_MIN_LOG_LEVEL says. This addon points stderr elsewhere for
// that moment, which Node itself cannot do.

#include <fcntl.h>
#include <node_api.h>
#include <unistd.h>

namespace {

int saved = -1;

napi_value mute(napi_env, napi_callback_info) {
  const int nowhere = saved < 0 ? open("/dev/null", O_WRONLY) : -1;
  if (nowhere >= 0) {
    saved = dup(2);
    dup2(nowhere, 2);
    close(nowhere);
  }
  return nullptr;
}

napi_value unmute(napi_env, napi_callback_info) {
  if (saved >= 0) {
    dup2(saved, 2);
    close(saved);
    saved = -1;
  }
  return nullptr;
}

void provide(napi_env env, napi_value exports, const char* name, napi_callback call) {
  napi_value value;
  if (napi_create_function(env, name, NAPI_AUTO_LENGTH, call, nullptr, &value) == napi_ok) napi_set_named_property(env, exports, name, value);
}

}  // namespace

extern "C" __attribute__((visibility("default"))) napi_value napi_register_module_v1(napi_env env, napi_value exports) {
  provide(env, exports, "mute", mute);
  provide(env, exports, "unmute", unmute);
  return exports;
}
