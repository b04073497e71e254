#include "reducer.h"

#include <c10/core/impl/VirtualGuardImpl.h>

#include <chrono>
#include <condition_variable>
#include <deque>
#include <future>
#include <mutex>
#include <thread>

#include "cuda-driver.h"

namespace bulwark {

namespace {

using Clock = std::chrono::steady_clock;

class Event {
 public:
  Event() { CudaDriver::check(driver_.createEvent(&event_, /*without times=*/2), "an event"); }
  ~Event() { driver_.destroyEvent(event_); }
  Event(const Event&) = delete;

  void record(CudaDriver::Stream stream) { CudaDriver::check(driver_.record(event_, stream), "to record an event"); }
  void block(CudaDriver::Stream stream) { CudaDriver::check(driver_.wait(stream, event_, 0), "to wait for an event"); }
  /** Whether what was recorded is done, or has failed. */
  bool over() const { return driver_.query(event_) != CudaDriver::notReady; }

 private:
  const CudaDriver& driver_ = CudaDriver::get();
  CudaDriver::Event event_ = nullptr;
};

/** What tensors are computed on: PyTorch's stream of the moment, which is CUDA's first one unless something has changed it. */
CudaDriver::Stream computing(const at::Device& device) {
  const auto stream = c10::impl::VirtualGuardImpl(device.type()).getStream(device);
  if (stream.id() != 0) throw std::logic_error("sums over ranks are begun on the device's first stream only");
  return nullptr;
}

/** Looks whether sums come to their end, and ends those whose other ranks do not come: a GPU would wait for ever. */
class Watch {
 public:
  Watch(const Nccl& nccl, Nccl::Communicator communicator, double seconds)
      : nccl_(nccl), communicator_(communicator), seconds_(seconds) {
    CudaDriver::check(CudaDriver::get().getContext(&context_), "to tell its context");
    thread_ = std::thread([this] { run(); });
  }
  ~Watch() {
    {
      const std::lock_guard lock(mutex_);
      ends_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }

  void add(std::shared_ptr<Event> event) {
    {
      const std::lock_guard lock(mutex_);
      flights_.push_back({std::move(event), Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds_))});
    }
    changed_.notify_all();
  }
  std::string failure() {
    const std::lock_guard lock(mutex_);
    return failure_;
  }
  /** Whether the communicator is gone. */
  bool aborted() { return !failure().empty(); }

 private:
  struct Flight {
    std::shared_ptr<Event> event;
    Clock::time_point latest;
  };

  void run() {
    const CudaDriver& driver = CudaDriver::get();
    driver.setContext(context_);
    int relaxed = 2;  // the main thread may be recording a graph, which these looks are no part of
    driver.exchangeCaptureMode(&relaxed);
    std::unique_lock lock(mutex_);
    while (!ends_) {
      if (flights_.empty()) {
        changed_.wait(lock, [this] { return ends_ || !flights_.empty(); });
        continue;
      }
      changed_.wait_for(lock, std::chrono::milliseconds(50), [this] { return ends_; });
      while (!flights_.empty() && flights_.front().event->over()) flights_.pop_front();
      std::string why = ends_ ? "" : trouble();
      if (why.empty()) continue;
      failure_ = std::move(why);
      flights_.clear();
      lock.unlock();
      nccl_.abort(communicator_);
      return;
    }
  }
  std::string trouble() {
    int result = 0;
    if (nccl_.asyncError(communicator_, &result) == 0 && result != 0 && result != Nccl::inProgress) return nccl_.errorString(result);
    if (!flights_.empty() && Clock::now() > flights_.front().latest)
      return "a rank has not answered for " + std::to_string(static_cast<int>(seconds_)) + " s";
    return "";
  }

  const Nccl& nccl_;
  const Nccl::Communicator communicator_;
  const double seconds_;
  void* context_ = nullptr;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Flight> flights_;
  std::string failure_;
  bool ends_ = false;
  std::thread thread_;
};

class NcclSum : public Sum {
 public:
  NcclSum(at::Tensor tensor, std::shared_ptr<Event> done) : tensor_(std::move(tensor)), done_(std::move(done)) {}
  void wait() override { done_->block(computing(tensor_.device())); }

 private:
  // kept until the device's own stream waits for the sum: then its memory is given away no sooner
  const at::Tensor tensor_;
  const std::shared_ptr<Event> done_;
};

class NcclReducer : public Reducer {
 public:
  NcclReducer(const Nccl& nccl, Nccl::Communicator communicator, double seconds)
      : nccl_(nccl), communicator_(communicator), watch_(std::make_unique<Watch>(nccl, communicator, seconds)) {
    CudaDriver::check(CudaDriver::get().createStream(&stream_, /*beside the first one=*/1), "a stream");
  }
  ~NcclReducer() override { leave(/*together=*/false); }

  std::unique_ptr<Sum> start(const at::Tensor& tensor) override {
    if (const std::string why = failure(); !why.empty()) throw std::runtime_error(why);
    Event computed;
    computed.record(computing(tensor.device()));
    computed.block(stream_);
    void* memory = tensor.data_ptr();
    nccl_.check(nccl_.allReduce(memory, memory, static_cast<size_t>(tensor.numel()), Nccl::float32, Nccl::sum, communicator_, stream_),
                "begin a sum");
    auto done = std::make_shared<Event>();
    done->record(stream_);
    watch_->add(done);
    return std::make_unique<NcclSum>(tensor, done);
  }
  std::string failure() override { return watch_ ? watch_->failure() : "the sums were closed"; }
  void close() override { leave(/*together=*/true); }

 private:
  void leave(bool together) {
    if (!watch_) return;
    const bool gone = watch_->aborted();
    watch_.reset();
    if (!gone) together ? nccl_.destroy(communicator_) : nccl_.abort(communicator_);
    CudaDriver::get().destroyStream(stream_);
  }

  const Nccl& nccl_;
  const Nccl::Communicator communicator_;
  CudaDriver::Stream stream_ = nullptr;
  std::unique_ptr<Watch> watch_;
};

class Lonely : public Reducer {
  struct Done : Sum {
    void wait() override {}
  };

 public:
  std::unique_ptr<Sum> start(const at::Tensor&) override { return std::make_unique<Done>(); }
};

}  // namespace

std::unique_ptr<Reducer> ncclReducer(const at::Device& device, const Nccl::Id& id, const RankPlace& place) {
  const Nccl* nccl = Nccl::find();
  if (!nccl) throw std::runtime_error("this PyTorch has no NCCL");
  // on a thread of its own, which is left behind where it waits for ever
  auto met = std::make_shared<std::promise<std::pair<int, Nccl::Communicator>>>();
  auto outcome = met->get_future();
  std::thread([met, nccl, device, id, rank = place.rank, size = place.size] {
    Nccl::Communicator communicator = nullptr;
    try {
      c10::impl::VirtualGuardImpl(device.type()).setDevice(device);
      const int result = nccl->initRank(&communicator, size, id, rank);
      met->set_value({result, communicator});
    } catch (...) {
      met->set_exception(std::current_exception());
    }
  }).detach();
  if (outcome.wait_for(std::chrono::duration<double>(place.seconds)) != std::future_status::ready) return nullptr;
  const auto [result, communicator] = outcome.get();
  nccl->check(result, "bring the ranks together");
  return std::make_unique<NcclReducer>(*nccl, communicator, place.seconds);
}

std::unique_ptr<Reducer> lonelyReducer() { return std::make_unique<Lonely>(); }

}  // namespace bulwark
