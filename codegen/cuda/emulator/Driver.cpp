// The entry points of the emulated driver: see Emulator.h and runtime/cuda/cnn_cuda_driver.h. They answer as the CUDA
// Driver API's documentation says that the driver does, for one device.
#include "codegen/cuda/emulator/Device.h"
#include "codegen/cuda/emulator/Grid.h"
#include "codegen/cuda/emulator/TensorMap.h"

#include "llvm/ADT/ScopeExit.h"
#include "llvm/ADT/StringExtras.h"

#include <cstring>

using namespace cnn::cuda;
using namespace cnn::cuda::emulator;

Device &Device::get() {
  static Device device;
  return device;
}

CUresult Device::issue(CUstream stream, CUwork work) {
  if (stream && stream->isCapturing) {
    stream->captured.push_back(std::move(work));
    return CUDA_SUCCESS;
  }
  return replay({std::move(work)});
}

CUresult Device::replay(const std::vector<CUwork> &work) {
  for (const CUwork &one : work)
    if (fault == CUDA_SUCCESS)
      fault = one();
  // What happens on the device is told by later calls.
  return CUDA_SUCCESS;
}

namespace {
/// How often the contexts on a thread's stack were pushed.
thread_local int pushed = 0;

enum class Needs { Driver, Context, Health };

/// The device, locked; `refusal` is what a call that needs more than there is has to answer.
struct Call {
  Device &device = Device::get();
  std::lock_guard<std::mutex> lock{device.mutex};
  CUresult refusal = CUDA_SUCCESS;

  explicit Call(Needs needs) {
    if (!device.isInitialized)
      refusal = CUDA_ERROR_NOT_INITIALIZED;
    else if (needs != Needs::Driver && (pushed == 0 || device.retained == 0))
      refusal = CUDA_ERROR_INVALID_CONTEXT;
    else if (needs == Needs::Health)
      refusal = device.fault;
  }
  bool knows(CUstream stream) const { return !stream || device.streams.has(stream); }
};

#define CNN_CALL(needs)                                                                                                \
  Call call(needs);                                                                                                    \
  if (call.refusal != CUDA_SUCCESS)                                                                                    \
    return call.refusal;                                                                                               \
  [[maybe_unused]] Device &device = call.device

struct Error {
  CUresult code;
  const char *name, *text;
};
const Error kErrors[] = {
#define CNN_ERROR(code, text) {code, #code, text}
    CNN_ERROR(CUDA_SUCCESS, "no error"),
    CNN_ERROR(CUDA_ERROR_INVALID_VALUE, "invalid argument"),
    CNN_ERROR(CUDA_ERROR_OUT_OF_MEMORY, "out of memory"),
    CNN_ERROR(CUDA_ERROR_NOT_INITIALIZED, "initialization error"),
    CNN_ERROR(CUDA_ERROR_INVALID_DEVICE, "invalid device ordinal"),
    CNN_ERROR(CUDA_ERROR_INVALID_IMAGE, "device kernel image is invalid"),
    CNN_ERROR(CUDA_ERROR_INVALID_CONTEXT, "invalid device context"),
    CNN_ERROR(CUDA_ERROR_INVALID_PTX, "the module cannot be emulated"),
    CNN_ERROR(CUDA_ERROR_INVALID_HANDLE, "invalid resource handle"),
    CNN_ERROR(CUDA_ERROR_NOT_FOUND, "named symbol not found"),
    CNN_ERROR(CUDA_ERROR_NOT_READY, "device not ready"),
    CNN_ERROR(CUDA_ERROR_ILLEGAL_ADDRESS, "an illegal memory access was encountered"),
    CNN_ERROR(CUDA_ERROR_LAUNCH_TIMEOUT, "the launch timed out and was terminated"),
    CNN_ERROR(CUDA_ERROR_MISALIGNED_ADDRESS, "misaligned address"),
    CNN_ERROR(CUDA_ERROR_LAUNCH_FAILED, "unspecified launch failure"),
    CNN_ERROR(CUDA_ERROR_NOT_SUPPORTED, "operation not supported"),
    CNN_ERROR(CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED, "operation not permitted when stream is capturing"),
    CNN_ERROR(CUDA_ERROR_STREAM_CAPTURE_INVALIDATED, "operation failed due to a previous error during capture"),
#undef CNN_ERROR
};

CUresult describe(CUresult code, const char **text, const char *Error::*member) {
  for (const Error &error : kErrors)
    if (error.code == code) {
      *text = error.*member;
      return CUDA_SUCCESS;
    }
  *text = nullptr;
  return CUDA_ERROR_INVALID_VALUE;
}

CUresult GetErrorString(CUresult code, const char **text) { return describe(code, text, &Error::text); }
CUresult GetErrorName(CUresult code, const char **text) { return describe(code, text, &Error::name); }

CUresult Init(unsigned flags) {
  if (flags)
    return CUDA_ERROR_INVALID_VALUE;
  Device &device = Device::get();
  std::lock_guard lock(device.mutex);
  device.isInitialized = true;
  return CUDA_SUCCESS;
}

CUresult DriverGetVersion(int *version) {
  *version = 13000;
  return CUDA_SUCCESS;
}

CUresult DeviceGetCount(int *count) {
  CNN_CALL(Needs::Driver);
  *count = 1;
  return CUDA_SUCCESS;
}

CUresult DeviceGet(CUdevice *result, int ordinal) {
  CNN_CALL(Needs::Driver);
  if (ordinal != 0)
    return CUDA_ERROR_INVALID_DEVICE;
  *result = 0;
  return CUDA_SUCCESS;
}

CUresult DeviceGetName(char *name, int length, CUdevice which) {
  CNN_CALL(Needs::Driver);
  if (which != 0)
    return CUDA_ERROR_INVALID_DEVICE;
  if (length <= 0)
    return CUDA_ERROR_INVALID_VALUE;
  const EmulatorOptions options = emulatorOptions();
  snprintf(name, length, "emulated device of compute capability %d.%d", options.computeMajor, options.computeMinor);
  return CUDA_SUCCESS;
}

CUresult DeviceGetAttribute(int *value, int attribute, CUdevice which) {
  CNN_CALL(Needs::Driver);
  if (which != 0)
    return CUDA_ERROR_INVALID_DEVICE;
  const EmulatorOptions options = emulatorOptions();
  switch (attribute) {
  case CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK:
    *value = 1024;
    break;
  case CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_X:
    *value = INT32_MAX;
    break;
  case CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Y:
  case CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Z:
    *value = 65535;
    break;
  case CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK:
    *value = Device::kSharedBytes;
    break;
  case CU_DEVICE_ATTRIBUTE_WARP_SIZE:
    *value = 32;
    break;
  case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR:
    *value = options.computeMajor;
    break;
  case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR:
    *value = options.computeMinor;
    break;
  case CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN:
    *value = Device::kSharedBytesOptIn;
    break;
  case CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_MULTIPROCESSOR:
    *value = 228 << 10;
    break;
  case CU_DEVICE_ATTRIBUTE_MAX_REGISTERS_PER_MULTIPROCESSOR:
    *value = 65536;
    break;
  case CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT:
    *value = 1;
    break;
  // There is nothing to say about its speed.
  case CU_DEVICE_ATTRIBUTE_CLOCK_RATE:
  case CU_DEVICE_ATTRIBUTE_MEMORY_CLOCK_RATE:
  case CU_DEVICE_ATTRIBUTE_GLOBAL_MEMORY_BUS_WIDTH:
  case CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE:
    *value = 0;
    break;
  default:
    return CUDA_ERROR_INVALID_VALUE;
  }
  return CUDA_SUCCESS;
}

CUresult DevicePrimaryCtxRetain(CUcontext *context, CUdevice which) {
  CNN_CALL(Needs::Driver);
  if (which != 0)
    return CUDA_ERROR_INVALID_DEVICE;
  ++device.retained;
  *context = &device.context;
  return CUDA_SUCCESS;
}

CUresult DevicePrimaryCtxRelease(CUdevice which) {
  CNN_CALL(Needs::Driver);
  if (which != 0)
    return CUDA_ERROR_INVALID_DEVICE;
  if (device.retained == 0)
    return CUDA_ERROR_INVALID_CONTEXT;
  if (--device.retained == 0)
    device.fault = CUDA_SUCCESS;
  return CUDA_SUCCESS;
}

CUresult CtxPushCurrent(CUcontext context) {
  CNN_CALL(Needs::Driver);
  if (context != &device.context || device.retained == 0)
    return CUDA_ERROR_INVALID_CONTEXT;
  ++pushed;
  return CUDA_SUCCESS;
}

CUresult CtxPopCurrent(CUcontext *context) {
  CNN_CALL(Needs::Driver);
  if (pushed == 0)
    return CUDA_ERROR_INVALID_CONTEXT;
  --pushed;
  if (context)
    *context = &device.context;
  return CUDA_SUCCESS;
}

/// The length of bitcode, which says it by itself: blocks of a known length, the table of strings last. 0: it is none.
size_t bitcodeBytes(const char *image) {
  constexpr uint32_t kEnter = 1, kIdentification = 13, kModule = 8, kStrings = 23, kSymbols = 25;
  uint32_t word = 0;
  memcpy(&word, image, sizeof word);
  if (word != CNN_CUDA_BITCODE_MAGIC)
    return 0;
  for (size_t at = 4;;) {
    // Abbreviation (2 bits), block (vbr8), the width of its abbreviations (vbr4), padding; then its length in words.
    memcpy(&word, image + at, sizeof word);
    const uint32_t block = word >> 2 & 0xff;
    if ((word & 3) != kEnter ||
        (block != kIdentification && block != kModule && block != kStrings && block != kSymbols))
      return 0;
    memcpy(&word, image + at + 4, sizeof word);
    at += 8 + size_t(word) * 4;
    if (block == kStrings)
      return at;
  }
}

CUresult ModuleLoadDataEx(CUmodule *module, const void *image, unsigned optionCount, int *options, void **values) {
  CNN_CALL(Needs::Health);
  char *log = nullptr;
  size_t logBytes = 0;
  for (unsigned i = 0; i < optionCount; ++i) {
    if (options[i] == CU_JIT_ERROR_LOG_BUFFER)
      log = static_cast<char *>(values[i]);
    if (options[i] == CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES)
      logBytes = reinterpret_cast<size_t>(values[i]);
  }
  const size_t bytes = bitcodeBytes(static_cast<const char *>(image));
  if (bytes == 0)
    return CUDA_ERROR_INVALID_IMAGE;
  auto loaded = LoadedModule::load(llvm::StringRef(static_cast<const char *>(image), bytes));
  if (!loaded) {
    const std::string text = llvm::toString(loaded.takeError());
    if (log && logBytes)
      snprintf(log, logBytes, "%s", text.c_str());
    return CUDA_ERROR_INVALID_PTX;
  }
  for (const Range &range : (*loaded)->variables())
    device.memory.add(range);
  auto made = std::make_unique<CUmod_st>();
  made->module = std::move(*loaded);
  *module = device.modules.add(std::move(made));
  return CUDA_SUCCESS;
}

CUresult ModuleUnload(CUmodule module) {
  CNN_CALL(Needs::Context);
  if (!device.modules.has(module))
    return CUDA_ERROR_INVALID_HANDLE;
  for (const Range &range : module->module->variables())
    device.memory.remove(range.begin);
  device.modules.remove(module);
  return CUDA_SUCCESS;
}

CUresult ModuleGetFunction(CUfunction *function, CUmodule module, const char *name) {
  CNN_CALL(Needs::Health);
  if (!device.modules.has(module))
    return CUDA_ERROR_INVALID_HANDLE;
  const Kernel *kernel = module->module->find(name);
  if (!kernel)
    return CUDA_ERROR_NOT_FOUND;
  for (const auto &known : module->functions)
    if (known->kernel == kernel) {
      *function = known.get();
      return CUDA_SUCCESS;
    }
  module->functions.push_back(std::make_unique<CUfunc_st>());
  *function = module->functions.back().get();
  (*function)->module = module;
  (*function)->kernel = kernel;
  return CUDA_SUCCESS;
}

CUresult FuncGetAttribute(int *value, int attribute, CUfunction function) {
  CNN_CALL(Needs::Health);
  switch (attribute) {
  case CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK:
    *value = static_cast<int>(function->kernel->maxThreads);
    return CUDA_SUCCESS;
  case CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES:
    *value = static_cast<int>(function->kernel->staticSharedBytes);
    return CUDA_SUCCESS;
  case CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES:
    *value = static_cast<int>(function->dynamicSharedBytes);
    return CUDA_SUCCESS;
  // Neither is there on a CPU.
  case CU_FUNC_ATTRIBUTE_LOCAL_SIZE_BYTES:
  case CU_FUNC_ATTRIBUTE_NUM_REGS:
    *value = 0;
    return CUDA_SUCCESS;
  default:
    return CUDA_ERROR_INVALID_VALUE;
  }
}

CUresult FuncSetAttribute(CUfunction function, int attribute, int value) {
  CNN_CALL(Needs::Health);
  if (attribute != CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES || value < 0 ||
      value + function->kernel->staticSharedBytes > Device::kSharedBytesOptIn)
    return CUDA_ERROR_INVALID_VALUE;
  function->dynamicSharedBytes = static_cast<uint32_t>(value);
  return CUDA_SUCCESS;
}

CUresult LaunchKernel(CUfunction function, unsigned gridX, unsigned gridY, unsigned gridZ, unsigned blockX,
                      unsigned blockY, unsigned blockZ, unsigned sharedBytes, CUstream stream, void **parameters,
                      void **extra) {
  CNN_CALL(Needs::Health);
  if (!call.knows(stream))
    return CUDA_ERROR_INVALID_HANDLE;
  const Kernel &kernel = *function->kernel;
  const uint64_t threads = uint64_t(blockX) * blockY * blockZ;
  if (threads == 0 || threads > kernel.maxThreads || blockX > 1024 || blockY > 1024 || blockZ > 64 || gridX == 0 ||
      gridX > INT32_MAX || gridY == 0 || gridY > 65535 || gridZ == 0 || gridZ > 65535 ||
      sharedBytes > function->dynamicSharedBytes || extra)
    return CUDA_ERROR_INVALID_VALUE;
  const unsigned block[] = {blockX, blockY, blockZ};
  for (int axis = 0; axis < 3; ++axis)
    if (kernel.requiredThreads[axis] && kernel.requiredThreads[axis] != block[axis])
      return CUDA_ERROR_INVALID_VALUE;
  // The call's own copy: the caller's may be gone when a graph is launched.
  std::vector<std::vector<uint64_t>> values;
  for (size_t i = 0; i < kernel.parameters.size(); ++i) {
    values.emplace_back((kernel.parameters[i].bytes + 7) / 8);
    memcpy(values.back().data(), parameters[i], kernel.parameters[i].bytes);
  }
  return device.issue(stream, [&device, &kernel, gridX, gridY, gridZ, blockX, blockY, blockZ, sharedBytes,
                               values = std::move(values)]() mutable {
    std::vector<void *> addresses;
    for (std::vector<uint64_t> &value : values)
      addresses.push_back(value.data());
    Launch launch;
    launch.kernel = &kernel;
    launch.grid = {gridX, gridY, gridZ};
    launch.block = {blockX, blockY, blockZ};
    launch.sharedBytes = kernel.staticSharedBytes + sharedBytes;
    launch.parameters = addresses.data();
    launch.memory = device.memory.ranges();
    launch.options = emulatorOptions();
    return runGrid(std::move(launch));
  });
}

CUresult MemGetInfo(size_t *freeBytes, size_t *totalBytes) {
  CNN_CALL(Needs::Health);
  *totalBytes = emulatorOptions().memoryBytes;
  *freeBytes = *totalBytes - std::min<size_t>(*totalBytes, device.memory.used());
  return CUDA_SUCCESS;
}

CUresult MemAlloc(CUdeviceptr *address, size_t bytes) {
  CNN_CALL(Needs::Health);
  if (bytes == 0)
    return CUDA_ERROR_INVALID_VALUE;
  std::optional<uint64_t> allocated = device.memory.allocate(bytes, emulatorOptions().memoryBytes);
  if (!allocated)
    return CUDA_ERROR_OUT_OF_MEMORY;
  *address = *allocated;
  return CUDA_SUCCESS;
}

CUresult MemFree(CUdeviceptr address) {
  CNN_CALL(Needs::Context);
  return address == 0 || device.memory.release(address) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

/// Copies when its turn comes; `device` sides were checked.
CUresult copyMemory(Call &call, void *to, const void *from, size_t bytes, CUstream stream,
                    std::initializer_list<CUdeviceptr> deviceSides) {
  if (!call.knows(stream))
    return CUDA_ERROR_INVALID_HANDLE;
  for (CUdeviceptr address : deviceSides)
    if (bytes && !call.device.memory.holds(address, bytes))
      return CUDA_ERROR_INVALID_VALUE;
  return call.device.issue(stream, [=] {
    if (bytes)
      memmove(to, from, bytes);
    return CUDA_SUCCESS;
  });
}

CUresult MemcpyHtoDAsync(CUdeviceptr to, const void *from, size_t bytes, CUstream stream) {
  CNN_CALL(Needs::Health);
  return copyMemory(call, reinterpret_cast<void *>(to), from, bytes, stream, {to});
}

CUresult MemcpyDtoHAsync(void *to, CUdeviceptr from, size_t bytes, CUstream stream) {
  CNN_CALL(Needs::Health);
  return copyMemory(call, to, reinterpret_cast<const void *>(from), bytes, stream, {from});
}

CUresult MemcpyDtoDAsync(CUdeviceptr to, CUdeviceptr from, size_t bytes, CUstream stream) {
  CNN_CALL(Needs::Health);
  return copyMemory(call, reinterpret_cast<void *>(to), reinterpret_cast<const void *>(from), bytes, stream,
                    {to, from});
}

CUresult MemsetD8Async(CUdeviceptr to, unsigned char value, size_t bytes, CUstream stream) {
  CNN_CALL(Needs::Health);
  if (!call.knows(stream))
    return CUDA_ERROR_INVALID_HANDLE;
  if (bytes && !device.memory.holds(to, bytes))
    return CUDA_ERROR_INVALID_VALUE;
  return device.issue(stream, [=] {
    if (bytes)
      memset(reinterpret_cast<void *>(to), value, bytes);
    return CUDA_SUCCESS;
  });
}

CUresult PointerGetAttribute(void *value, int attribute, CUdeviceptr address) {
  CNN_CALL(Needs::Health);
  if (!device.memory.holds(address, 1))
    return CUDA_ERROR_INVALID_VALUE;
  if (attribute == CU_POINTER_ATTRIBUTE_MEMORY_TYPE)
    *static_cast<unsigned *>(value) = CU_MEMORYTYPE_DEVICE;
  else if (attribute == CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL)
    *static_cast<int *>(value) = 0;
  else
    return CUDA_ERROR_INVALID_VALUE;
  return CUDA_SUCCESS;
}

CUresult StreamCreate(CUstream *stream, unsigned) {
  CNN_CALL(Needs::Health);
  *stream = device.streams.add(std::make_unique<CUstream_st>());
  return CUDA_SUCCESS;
}

CUresult StreamDestroy(CUstream stream) {
  CNN_CALL(Needs::Context);
  return device.streams.remove(stream) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_HANDLE;
}

CUresult StreamSynchronize(CUstream stream) {
  CNN_CALL(Needs::Health);
  if (!call.knows(stream))
    return CUDA_ERROR_INVALID_HANDLE;
  if (stream && stream->isCapturing) {
    stream->isInvalid = true;
    return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
  }
  return CUDA_SUCCESS;
}

CUresult StreamBeginCapture(CUstream stream, int) {
  CNN_CALL(Needs::Health);
  if (!stream || !call.knows(stream))
    return CUDA_ERROR_INVALID_HANDLE;
  if (stream->isCapturing)
    return CUDA_ERROR_INVALID_VALUE;
  stream->isCapturing = true;
  stream->isInvalid = false;
  stream->captured.clear();
  return CUDA_SUCCESS;
}

CUresult StreamEndCapture(CUstream stream, CUgraph *graph) {
  CNN_CALL(Needs::Context);
  *graph = nullptr;
  if (!stream || !call.knows(stream))
    return CUDA_ERROR_INVALID_HANDLE;
  if (!stream->isCapturing)
    return CUDA_ERROR_INVALID_VALUE;
  stream->isCapturing = false;
  auto made = std::make_unique<CUgraph_st>();
  made->work = std::move(stream->captured);
  stream->captured.clear();
  if (stream->isInvalid)
    return CUDA_ERROR_STREAM_CAPTURE_INVALIDATED;
  *graph = device.graphs.add(std::move(made));
  return CUDA_SUCCESS;
}

CUresult GraphInstantiateWithFlags(CUgraphExec *executable, CUgraph graph, unsigned long long) {
  CNN_CALL(Needs::Health);
  if (!device.graphs.has(graph))
    return CUDA_ERROR_INVALID_HANDLE;
  auto made = std::make_unique<CUgraphExec_st>();
  made->work = graph->work;
  *executable = device.executables.add(std::move(made));
  return CUDA_SUCCESS;
}

CUresult GraphLaunch(CUgraphExec executable, CUstream stream) {
  CNN_CALL(Needs::Health);
  if (!device.executables.has(executable) || !call.knows(stream))
    return CUDA_ERROR_INVALID_HANDLE;
  if (stream && stream->isCapturing)
    return CUDA_ERROR_NOT_SUPPORTED;
  return device.replay(executable->work);
}

CUresult GraphExecDestroy(CUgraphExec executable) {
  CNN_CALL(Needs::Context);
  return device.executables.remove(executable) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_HANDLE;
}

CUresult GraphDestroy(CUgraph graph) {
  CNN_CALL(Needs::Context);
  return device.graphs.remove(graph) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_HANDLE;
}

CUresult EventCreate(CUevent *event, unsigned) {
  CNN_CALL(Needs::Health);
  *event = device.events.add(std::make_unique<CUevent_st>());
  return CUDA_SUCCESS;
}

CUresult EventRecord(CUevent event, CUstream stream) {
  CNN_CALL(Needs::Health);
  if (!device.events.has(event) || !call.knows(stream))
    return CUDA_ERROR_INVALID_HANDLE;
  return device.issue(stream, [event] {
    event->time = std::chrono::steady_clock::now();
    event->isRecorded = true;
    return CUDA_SUCCESS;
  });
}

CUresult EventElapsedTime(float *milliseconds, CUevent begin, CUevent end) {
  CNN_CALL(Needs::Health);
  if (!device.events.has(begin) || !device.events.has(end) || !begin->isRecorded || !end->isRecorded)
    return CUDA_ERROR_INVALID_HANDLE;
  *milliseconds = std::chrono::duration<float, std::milli>(end->time - begin->time).count();
  return CUDA_SUCCESS;
}

CUresult EventDestroy(CUevent event) {
  CNN_CALL(Needs::Context);
  return device.events.remove(event) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_HANDLE;
}

// Every entry has the type that the runtime calls it by.
const cnn_cuda_driver kEntries = {
#define CNN_ENTRY(field, name, parameters) field,
    CNN_CUDA_ENTRIES(CNN_ENTRY)
#undef CNN_ENTRY
};
} // namespace

void *cnn::cuda::emulatedDriverEntry(const char *name) {
#define CNN_ENTRY(field, symbol, parameters)                                                                           \
  if (strcmp(name, #symbol) == 0)                                                                                      \
    return reinterpret_cast<void *>(kEntries.field);
  CNN_CUDA_ENTRIES(CNN_ENTRY)
#undef CNN_ENTRY
  if (strcmp(name, "cuTensorMapEncodeTiled") == 0)
    return reinterpret_cast<void *>(static_cast<cnn_cuda_encode_tiled>(encodeTiled));
  return nullptr;
}
