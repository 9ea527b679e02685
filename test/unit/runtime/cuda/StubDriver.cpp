// See StubDriver.h.
#include "test/unit/runtime/cuda/StubDriver.h"

#include <cstdlib>
#include <cstring>
#include <set>
#include <type_traits>

namespace stub {
namespace {

struct Node {
  Launch launch;
  std::vector<uint64_t> arguments;
};

struct Allocation {
  size_t bytes;
  int device;
};

struct Driver {
  Machine machine;
  std::map<uintptr_t, Allocation> memory;
  std::map<void *, std::vector<Node>> graphs, executables;
  std::map<void *, Kernel *> functions;
  std::map<void *, std::string> functionNames;
  std::map<void *, int> dynamicShared;
  std::set<void *> modules, streams, events;
  void *capturing = nullptr;
  std::vector<Node> captured;
  std::vector<void *> current; ///< Contexts.
  int retained = 0;
  uintptr_t handles = 0x1000;
  int failCalls = 0;

  template <class T> T handle() { return reinterpret_cast<T>(handles += 16); }
};

/// Made when it is first used and never unmade: variables of other files use it when they are.
struct TheDriver {
  Driver &operator*() const {
    static Driver *made = new Driver;
    return *made;
  }
  Driver *operator->() const { return &**this; }
};
constexpr TheDriver driver;
/// Contexts are told apart from null; there is one a device.
CUcontext contextOf(int device) { return reinterpret_cast<CUcontext>(uintptr_t(0x100) + device); }

/// Every entry begins with it: what it has to answer, if it has to fail.
CUresult enter(const char *name) {
  Machine &machine = driver->machine;
  machine.calls.emplace_back(name);
  if (machine.failAt < 0 || (!machine.failEntry.empty() && machine.failEntry != name))
    return CUDA_SUCCESS;
  const int call = driver->failCalls++;
  return call == machine.failAt || (machine.failsOn && call > machine.failAt) ? machine.failWith : CUDA_SUCCESS;
}
#define ENTER                                                                                                          \
  if (CUresult result = enter(__func__); result != CUDA_SUCCESS)                                                       \
    return result;
/// What works on a device.
#define ENTER_DEVICE                                                                                                   \
  ENTER                                                                                                                \
  if (driver->current.empty())                                                                                         \
    return CUDA_ERROR_INVALID_CONTEXT;

const Allocation *find(CUdeviceptr address, size_t bytes) {
  auto next = driver->memory.upper_bound(address);
  if (next == driver->memory.begin())
    return nullptr;
  auto &[begin, allocation] = *std::prev(next);
  return address + bytes <= begin + allocation.bytes ? &allocation : nullptr;
}

bool isStream(CUstream stream) { return !stream || driver->streams.count(stream); }

void run(const Node &node) {
  driver->machine.launches.push_back(node.launch);
  driver->machine.kernels.at(node.launch.kernel).run(node.arguments.data());
}

CUresult copy(void *to, const void *from, size_t bytes, CUstream stream, bool toDevice, bool fromDevice) {
  if (!isStream(stream) || stream == driver->capturing ? stream != nullptr : false)
    return CUDA_ERROR_INVALID_HANDLE;
  if ((find(reinterpret_cast<uintptr_t>(to), bytes) != nullptr) != toDevice ||
      (find(reinterpret_cast<uintptr_t>(from), bytes) != nullptr) != fromDevice)
    return CUDA_ERROR_INVALID_VALUE;
  std::memcpy(to, from, bytes);
  return CUDA_SUCCESS;
}

void *pointer(CUdeviceptr address) { return reinterpret_cast<void *>(address); }

} // namespace

// Under their own names, so that the stub can be a library in the driver's place.
extern "C" {

CUresult cuInit(unsigned) {
  ENTER
  return CUDA_SUCCESS;
}
CUresult cuDriverGetVersion(int *version) {
  ENTER
  *version = 12040;
  return CUDA_SUCCESS;
}
CUresult cuGetErrorString(CUresult, const char **text) {
  *text = "an error of the stub";
  return CUDA_SUCCESS;
}
CUresult cuGetErrorName(CUresult, const char **name) {
  *name = "CUDA_ERROR_STUB";
  return CUDA_SUCCESS;
}
CUresult cuDeviceGetCount(int *count) {
  ENTER
  *count = driver->machine.devices;
  return CUDA_SUCCESS;
}
CUresult cuDeviceGet(CUdevice *device, int ordinal) {
  ENTER
  if (ordinal < 0 || ordinal >= driver->machine.devices)
    return CUDA_ERROR_INVALID_DEVICE;
  *device = ordinal;
  return CUDA_SUCCESS;
}
CUresult cuDeviceGetName(char *name, int length, CUdevice) {
  ENTER
  std::strncpy(name, "Stub", static_cast<size_t>(length));
  return CUDA_SUCCESS;
}
CUresult cuDeviceGetAttribute(int *value, int attribute, CUdevice) {
  ENTER
  switch (attribute) {
  case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR:
    *value = driver->machine.capability / 10;
    return CUDA_SUCCESS;
  case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR:
    *value = driver->machine.capability % 10;
    return CUDA_SUCCESS;
  case CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN:
    *value = driver->machine.mostSharedBytes;
    return CUDA_SUCCESS;
  default:
    return CUDA_ERROR_INVALID_VALUE;
  }
}
CUresult cuDevicePrimaryCtxRetain(CUcontext *context, CUdevice device) {
  ENTER
  ++driver->retained;
  driver->machine.device = device;
  *context = contextOf(device);
  return CUDA_SUCCESS;
}
CUresult cuDevicePrimaryCtxRelease_v2(CUdevice) {
  ENTER
  --driver->retained;
  return CUDA_SUCCESS;
}
CUresult cuCtxPushCurrent_v2(CUcontext context) {
  ENTER
  if (!context)
    return CUDA_ERROR_INVALID_CONTEXT;
  driver->current.push_back(context);
  return CUDA_SUCCESS;
}
CUresult cuCtxPopCurrent_v2(CUcontext *context) {
  ENTER
  if (driver->current.empty())
    return CUDA_ERROR_INVALID_CONTEXT;
  *context = static_cast<CUcontext>(driver->current.back());
  driver->current.pop_back();
  return CUDA_SUCCESS;
}
CUresult cuModuleLoadDataEx(CUmodule *module, const void *image, unsigned, int *, void **) {
  ENTER_DEVICE
  const std::string text = static_cast<const char *>(image);
  if (auto refused = driver->machine.refused.find(text); refused != driver->machine.refused.end())
    return refused->second;
  *module = driver->handle<CUmodule>();
  driver->modules.insert(*module);
  driver->machine.loaded = text;
  return CUDA_SUCCESS;
}
CUresult cuModuleUnload(CUmodule module) {
  ENTER_DEVICE
  return driver->modules.erase(module) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_HANDLE;
}
CUresult cuModuleGetFunction(CUfunction *function, CUmodule module, const char *name) {
  ENTER_DEVICE
  if (driver->machine.knowsAllKernels)
    driver->machine.kernels.try_emplace(name, Kernel{0, [](const uint64_t *) {}});
  auto found = driver->machine.kernels.find(name);
  if (!driver->modules.count(module) || found == driver->machine.kernels.end())
    return CUDA_ERROR_NOT_FOUND;
  *function = reinterpret_cast<CUfunction>(&found->second);
  driver->functions[*function] = &found->second;
  driver->functionNames[*function] = name;
  return CUDA_SUCCESS;
}
CUresult cuFuncGetAttribute(int *value, int attribute, CUfunction function) {
  ENTER_DEVICE
  const Kernel &kernel = *driver->functions.at(function);
  *value = attribute == CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK ? kernel.mostThreads
           : attribute == CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES   ? kernel.sharedBytes
                                                                : 0;
  return CUDA_SUCCESS;
}
CUresult cuFuncSetAttribute(CUfunction function, int attribute, int value) {
  ENTER_DEVICE
  if (attribute != CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES || value > driver->machine.mostSharedBytes)
    return CUDA_ERROR_INVALID_VALUE;
  driver->dynamicShared[function] = value;
  return CUDA_SUCCESS;
}
CUresult cuLaunchKernel(CUfunction function, unsigned gridX, unsigned gridY, unsigned gridZ, unsigned blockX,
                        unsigned blockY, unsigned blockZ, unsigned shared, CUstream stream, void **parameters,
                        void **extra) {
  ENTER_DEVICE
  auto kernel = driver->functions.find(function);
  if (kernel == driver->functions.end() || !isStream(stream) || extra)
    return CUDA_ERROR_INVALID_HANDLE;
  if (!gridX || !gridY || !gridZ || !blockX || shared > unsigned(std::max(48 * 1024, driver->dynamicShared[function])))
    return CUDA_ERROR_INVALID_VALUE;
  Node node = {{driver->functionNames[function], {gridX, gridY, gridZ}, {blockX, blockY, blockZ}, shared}, {}};
  for (size_t i = 0; i < kernel->second->arguments; ++i)
    node.arguments.push_back(*static_cast<uint64_t *>(parameters[i]));
  if (stream && stream == driver->capturing)
    driver->captured.push_back(std::move(node));
  else
    run(node);
  return CUDA_SUCCESS;
}
CUresult cuMemGetInfo_v2(size_t *freeBytes, size_t *totalBytes) {
  ENTER_DEVICE
  *freeBytes = driver->machine.freeBytes;
  *totalBytes = size_t(1) << 40;
  return CUDA_SUCCESS;
}
CUresult cuMemAlloc_v2(CUdeviceptr *address, size_t bytes) {
  ENTER_DEVICE
  if (bytes == 0)
    return CUDA_ERROR_INVALID_VALUE;
  if (bytes > driver->machine.freeBytes)
    return CUDA_ERROR_OUT_OF_MEMORY;
  *address = allocate(bytes, driver->machine.device);
  return CUDA_SUCCESS;
}
CUresult cuMemFree_v2(CUdeviceptr address) {
  ENTER_DEVICE
  if (!driver->memory.count(address))
    return CUDA_ERROR_INVALID_VALUE;
  release(address);
  return CUDA_SUCCESS;
}
CUresult cuMemcpyHtoDAsync_v2(CUdeviceptr to, const void *from, size_t bytes, CUstream stream) {
  ENTER_DEVICE
  return copy(pointer(to), from, bytes, stream, true, false);
}
CUresult cuMemcpyDtoHAsync_v2(void *to, CUdeviceptr from, size_t bytes, CUstream stream) {
  ENTER_DEVICE
  return copy(to, pointer(from), bytes, stream, false, true);
}
CUresult cuMemcpyDtoDAsync_v2(CUdeviceptr to, CUdeviceptr from, size_t bytes, CUstream stream) {
  ENTER_DEVICE
  return copy(pointer(to), pointer(from), bytes, stream, true, true);
}
CUresult cuMemsetD8Async(CUdeviceptr to, unsigned char value, size_t bytes, CUstream) {
  ENTER_DEVICE
  if (!find(to, bytes))
    return CUDA_ERROR_INVALID_VALUE;
  std::memset(pointer(to), value, bytes);
  return CUDA_SUCCESS;
}
CUresult cuPointerGetAttribute(void *value, int attribute, CUdeviceptr address) {
  ENTER_DEVICE
  const Allocation *allocation = find(address, 1);
  if (!allocation)
    return CUDA_ERROR_INVALID_VALUE;
  *static_cast<int *>(value) =
      attribute == CU_POINTER_ATTRIBUTE_MEMORY_TYPE ? int(CU_MEMORYTYPE_DEVICE) : allocation->device;
  return CUDA_SUCCESS;
}
CUresult cuStreamCreate(CUstream *stream, unsigned) {
  ENTER_DEVICE
  *stream = newStream();
  return CUDA_SUCCESS;
}
CUresult cuStreamDestroy_v2(CUstream stream) {
  ENTER_DEVICE
  return driver->streams.erase(stream) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_HANDLE;
}
CUresult cuStreamSynchronize(CUstream stream) {
  ENTER_DEVICE
  return isStream(stream) && (!stream || stream != driver->capturing) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_HANDLE;
}
CUresult cuStreamBeginCapture_v2(CUstream stream, int) {
  ENTER_DEVICE
  if (!driver->streams.count(stream) || driver->capturing)
    return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
  driver->capturing = stream;
  driver->captured.clear();
  return CUDA_SUCCESS;
}
/// A capture ends even when it failed.
CUresult cuStreamEndCapture(CUstream stream, CUgraph *graph) {
  if (driver->capturing == stream)
    driver->capturing = nullptr;
  ENTER_DEVICE
  *graph = driver->handle<CUgraph>();
  driver->graphs[*graph] = driver->captured;
  return CUDA_SUCCESS;
}
CUresult cuGraphInstantiateWithFlags(CUgraphExec *executable, CUgraph graph, unsigned long long) {
  ENTER_DEVICE
  *executable = driver->handle<CUgraphExec>();
  driver->executables[*executable] = driver->graphs.at(graph);
  return CUDA_SUCCESS;
}
CUresult cuGraphLaunch(CUgraphExec executable, CUstream stream) {
  ENTER_DEVICE
  auto found = driver->executables.find(executable);
  if (found == driver->executables.end() || !isStream(stream))
    return CUDA_ERROR_INVALID_HANDLE;
  for (Node node : found->second) {
    node.launch.isReplayed = true;
    run(node);
  }
  return CUDA_SUCCESS;
}
CUresult cuGraphExecDestroy(CUgraphExec executable) {
  ENTER_DEVICE
  return driver->executables.erase(executable) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_HANDLE;
}
CUresult cuGraphDestroy(CUgraph graph) {
  ENTER_DEVICE
  return driver->graphs.erase(graph) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_HANDLE;
}
CUresult cuEventCreate(CUevent *event, unsigned) {
  ENTER_DEVICE
  *event = driver->handle<CUevent>();
  driver->events.insert(*event);
  return CUDA_SUCCESS;
}
CUresult cuEventRecord(CUevent event, CUstream stream) {
  ENTER_DEVICE
  return driver->events.count(event) && isStream(stream) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_HANDLE;
}
CUresult cuEventElapsedTime(float *milliseconds, CUevent begin, CUevent end) {
  ENTER_DEVICE
  *milliseconds = 0.5f;
  return driver->events.count(begin) && driver->events.count(end) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_HANDLE;
}
CUresult cuEventDestroy_v2(CUevent event) {
  ENTER_DEVICE
  return driver->events.erase(event) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_HANDLE;
}

} // extern "C"

int Machine::count(const std::string &entry) const {
  int number = 0;
  for (const std::string &call : calls)
    number += call == entry;
  return number;
}

Machine &machine() { return driver->machine; }

void reset() {
  for (auto &[address, allocation] : driver->memory)
    std::free(pointer(address));
  *driver = Driver();
}

void *lookup(const char *name) {
  if (driver->machine.missingEntry == name)
    return nullptr;
#define STUB_ENTRY(field, entry, parameters)                                                                           \
  static_assert(std::is_same_v<decltype(&(entry)), decltype(cnn_cuda_driver::field)>);                                 \
  if (std::strcmp(name, #entry) == 0)                                                                                  \
    return reinterpret_cast<void *>(entry);
  CNN_CUDA_ENTRIES(STUB_ENTRY)
#undef STUB_ENTRY
  return nullptr;
}

std::string leaks() {
  std::string text;
  auto add = [&](const char *what, size_t count) {
    if (count)
      text += std::to_string(count) + " " + what + "; ";
  };
  add("allocations", driver->memory.size());
  add("modules", driver->modules.size());
  add("streams", driver->streams.size());
  add("events", driver->events.size());
  add("graphs", driver->graphs.size());
  add("executable graphs", driver->executables.size());
  add("contexts on the stack", driver->current.size());
  add("contexts retained", static_cast<size_t>(driver->retained));
  add("streams being captured", driver->capturing ? 1 : 0);
  return text;
}

CUdeviceptr allocate(size_t bytes, int device) {
  void *memory = std::aligned_alloc(256, (bytes + 255) / 256 * 256);
  std::memset(memory, driver->machine.fill, bytes);
  driver->memory[reinterpret_cast<uintptr_t>(memory)] = {bytes, device};
  return reinterpret_cast<uintptr_t>(memory);
}

void release(CUdeviceptr address) {
  driver->memory.erase(address);
  std::free(pointer(address));
}

CUstream newStream() {
  CUstream stream = driver->handle<CUstream>();
  driver->streams.insert(stream);
  return stream;
}

void deleteStream(CUstream stream) { driver->streams.erase(stream); }

} // namespace stub
