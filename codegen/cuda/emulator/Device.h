// What the emulated driver keeps: one device, one context, and everything that its callers have made and not destroyed.
// Work happens when it is issued; a stream that is being captured gathers it instead.
#pragma once

#include "codegen/cuda/emulator/DeviceMemory.h"
#include "codegen/cuda/emulator/Module.h"
#include "runtime/cuda/cnn_cuda_driver.h"

#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <vector>

// The driver's handles are pointers to these.
struct CUctx_st {};
struct CUmod_st {
  std::unique_ptr<cnn::cuda::emulator::LoadedModule> module;
  std::vector<std::unique_ptr<CUfunc_st>> functions;
};
struct CUfunc_st {
  CUmodule module = nullptr;
  const cnn::cuda::emulator::Kernel *kernel = nullptr;
  uint32_t dynamicSharedBytes = 48 << 10; ///< The most that a launch may ask for.
};
using CUwork = std::function<CUresult()>;
struct CUstream_st {
  bool isCapturing = false, isInvalid = false;
  std::vector<CUwork> captured;
};
struct CUevent_st {
  bool isRecorded = false;
  std::chrono::steady_clock::time_point time;
};
struct CUgraph_st {
  std::vector<CUwork> work;
};
struct CUgraphExec_st {
  std::vector<CUwork> work;
};

namespace cnn::cuda::emulator {

/// Owns objects that are known by their address.
template <typename T> class Handles {
public:
  T *add(std::unique_ptr<T> object) { return objects_.insert(std::move(object)).first->get(); }
  bool has(const T *object) const { return objects_.contains(object); }
  bool remove(const T *object) {
    auto found = objects_.find(object);
    if (found == objects_.end())
      return false;
    objects_.erase(found);
    return true;
  }

private:
  struct Less {
    using is_transparent = void;
    static const T *get(const T *pointer) { return pointer; }
    static const T *get(const std::unique_ptr<T> &pointer) { return pointer.get(); }
    template <typename A, typename B> bool operator()(const A &a, const B &b) const { return get(a) < get(b); }
  };
  std::set<std::unique_ptr<T>, Less> objects_;
};

struct Device {
  static constexpr uint32_t kSharedBytes = 48 << 10, kSharedBytesOptIn = 227 << 10;

  std::mutex mutex;
  bool isInitialized = false;
  int retained = 0;
  CUctx_st context;
  /// What a kernel did wrong: every call but clean-up fails with it until the context is given back.
  CUresult fault = CUDA_SUCCESS;
  DeviceMemory memory;
  Handles<CUmod_st> modules;
  Handles<CUstream_st> streams;
  Handles<CUevent_st> events;
  Handles<CUgraph_st> graphs;
  Handles<CUgraphExec_st> executables;

  static Device &get();
  /// Does the work now or when the stream's capture is replayed.
  CUresult issue(CUstream stream, CUwork work);
  /// Does work that was captured, in order.
  CUresult replay(const std::vector<CUwork> &work);
};

} // namespace cnn::cuda::emulator
