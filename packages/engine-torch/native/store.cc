// Where processes find each other that torchrun has started, or whoever else sets its variables: PyTorch's store of keys and values.

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <future>
#include <thread>

#include "call.h"

#if __has_include(<torch/csrc/distributed/c10d/TCPStore.hpp>)
#include <c10/util/Flags.h>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>
#define BULWARK_STORE
C10_DECLARE_int(caffe2_log_level);
#endif

namespace bulwark {

#ifdef BULWARK_STORE

struct RankStore {
  c10::intrusive_ptr<c10d::TCPStore> store;
};

namespace {

using Clock = std::chrono::steady_clock;
using Milliseconds = std::chrono::milliseconds;

Milliseconds milliseconds(double seconds) { return Milliseconds(static_cast<int64_t>(1000 * seconds)); }

/** Set once the process was asked to end: then a fellow may have been killed, for whom nobody should wait long. */
volatile std::sig_atomic_t asked = 0;
struct sigaction listener;
void onTerm(int signal, siginfo_t* info, void* context) {
  asked = 1;
  if (listener.sa_flags & SA_SIGINFO) listener.sa_sigaction(signal, info, context);
  else listener.sa_handler(signal);
}

/** Hears SIGTERM before the one who listens to it by now, if there is one; JavaScript hears nothing while it waits. */
void overhear() {
  struct sigaction now;
  if (sigaction(SIGTERM, nullptr, &now) != 0 || now.sa_handler == SIG_DFL || now.sa_handler == SIG_IGN) return;
  if ((now.sa_flags & SA_SIGINFO) && now.sa_sigaction == onTerm) return;
  listener = now;
  struct sigaction ours = now;
  ours.sa_sigaction = onTerm;
  ours.sa_flags |= SA_SIGINFO;
  sigaction(SIGTERM, &ours, nullptr);
}

c10d::TCPStore& storeOf(Call& call) {
  if (!call.engine.store) throw std::logic_error("no store is open");
  return *call.engine.store->store;
}

/** storeOpen(host, port, does this process serve?, seconds) -> 1, or 0 where nothing answers in time */
napi_value storeOpen(Call& call) {
  // it tells of each try and shows stacks; what it throws says the same once
  if (!std::getenv("TORCH_CPP_LOG_LEVEL")) FLAGS_caffe2_log_level = /*fatal=*/3;
  c10d::TCPStoreOptions options;
  options.port = static_cast<uint16_t>(call.integer(1));
  options.isServer = call.flag(2);
  options.waitWorkers = false;
  options.timeout = milliseconds(call.number(3));
  // on a thread of its own, which is left behind where it waits: something else may be at that port and say nothing
  auto opened = std::make_shared<std::promise<c10::intrusive_ptr<c10d::TCPStore>>>();
  auto outcome = opened->get_future();
  std::thread([opened, host = call.text(0), options] {
    try {
      opened->set_value(c10::make_intrusive<c10d::TCPStore>(host, options));
    } catch (...) {
      opened->set_exception(std::current_exception());
    }
  }).detach();
  if (outcome.wait_for(options.timeout) != std::future_status::ready) return call.result(0.0);
  call.engine.store = std::make_shared<RankStore>(RankStore{outcome.get()});
  return call.result(1.0);
}

/** storeSet(key, bytes) */
napi_value storeSet(Call& call) {
  const auto [memory, length] = call.typedArray(1, at::kByte);
  const auto* bytes = static_cast<const uint8_t*>(memory);
  storeOf(call).set(call.text(0), std::vector<uint8_t>(bytes, bytes + length));
  return call.none();
}

std::vector<std::string> keysOf(Call& call, size_t argument) {
  std::vector<std::string> keys;
  for (napi_value each : call.elements(call.value(argument))) keys.push_back(call.textOf(each));
  return keys;
}

/** storeWait(keys, seconds, a key that ends the wait) -> places of the keys that are not there in time; [-1] where that other key is */
napi_value storeWait(Call& call) {
  overhear();
  c10d::TCPStore& store = storeOf(call);
  const auto keys = keysOf(call, 0);
  const std::string end = call.text(2);
  const auto began = Clock::now();
  const auto latest = began + milliseconds(call.number(1));
  for (int tested = 0; !store.check(keys); tested++) {
    const auto now = Clock::now();
    if (now > latest || (asked && now > began + std::chrono::seconds(10))) {
      std::vector<double> missing;
      for (size_t at = 0; at < keys.size(); at++)
        if (!store.check({keys[at]})) missing.push_back(static_cast<double>(at));
      return call.resultNumbers(missing);
    }
    if (tested % 64 == 63 && store.check({end})) return call.resultNumbers({-1});
    // at first in a hurry, then leaving the network to others
    std::this_thread::sleep_for(tested < 100 ? std::chrono::microseconds(20) : std::chrono::microseconds(1000));
  }
  return call.resultNumbers({});
}

/** storeGet(keys that are there) -> bytes of each */
napi_value storeGet(Call& call) {
  std::vector<napi_value> found;
  for (const std::vector<uint8_t>& bytes : storeOf(call).multiGet(keysOf(call, 0))) {
    void* memory;
    napi_value buffer, array;
    check(napi_create_arraybuffer(call.env, bytes.size(), &memory, &buffer), "an array");
    if (!bytes.empty()) std::memcpy(memory, bytes.data(), bytes.size());
    check(napi_create_typedarray(call.env, napi_uint8_array, bytes.size(), buffer, 0, &array), "an array");
    found.push_back(array);
  }
  return call.result(found);
}

/** storeDelete(keys) */
napi_value storeDelete(Call& call) {
  for (const std::string& key : keysOf(call, 0)) storeOf(call).deleteKey(key);
  return call.none();
}

/** storeClose(): the process that serves is the last one. */
napi_value storeClose(Call& call) {
  call.engine.store = nullptr;
  return call.none();
}

}  // namespace

void provideStore(napi_env env, napi_value exports) {
  provide(env, exports,
          {{"storeOpen", storeOpen},
           {"storeSet", storeSet},
           {"storeWait", storeWait},
           {"storeGet", storeGet},
           {"storeDelete", storeDelete},
           {"storeClose", storeClose}});
}

#else

struct RankStore {};

void provideStore(napi_env, napi_value) {}

#endif

}  // namespace bulwark
