// See EmulatedDevice.h.
#include "test/unit/codegen/cuda/emulator/EmulatedDevice.h"

#include "llvm/AsmParser/Parser.h"
#include "llvm/Bitcode/BitcodeWriter.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/Support/SourceMgr.h"
#include "llvm/Support/raw_ostream.h"

#include <cstdlib>

namespace cnn::cuda {

static void check(CUresult code, const char *what) {
  if (code == CUDA_SUCCESS)
    return;
  fprintf(stderr, "%s: error %d\n", what, code);
  std::abort();
}

EmulatedDevice::EmulatedDevice(const EmulatorOptions &options) : before_(emulatorOptions()) {
  setEmulatorOptions(options);
#define CNN_FIND(field, name, parameters)                                                                              \
  driver_.field = reinterpret_cast<decltype(driver_.field)>(emulatedDriverEntry(#name));
  CNN_CUDA_ENTRIES(CNN_FIND)
#undef CNN_FIND
  CUcontext context = nullptr;
  check(driver_.Init(0), "cuInit");
  check(driver_.DevicePrimaryCtxRetain(&context, 0), "cuDevicePrimaryCtxRetain");
  check(driver_.CtxPushCurrent(context), "cuCtxPushCurrent");
  check(driver_.StreamCreate(&stream_, CU_STREAM_NON_BLOCKING), "cuStreamCreate");
}

EmulatedDevice::~EmulatedDevice() {
  for (CUdeviceptr address : allocations_)
    check(driver_.MemFree(address), "cuMemFree");
  if (module_)
    check(driver_.ModuleUnload(module_), "cuModuleUnload");
  check(driver_.StreamDestroy(stream_), "cuStreamDestroy");
  CUcontext context = nullptr;
  check(driver_.CtxPopCurrent(&context), "cuCtxPopCurrent");
  check(driver_.DevicePrimaryCtxRelease(0), "cuDevicePrimaryCtxRelease");
  setEmulatorOptions(before_);
}

std::string EmulatedDevice::load(llvm::StringRef assembly) {
  llvm::LLVMContext context;
  llvm::SMDiagnostic problem;
  const std::string text = "target triple = \"nvptx64-nvidia-cuda\"\n"
                           "target datalayout = \"e-p6:32:32-i64:64-i128:128-i256:256-v16:16-v32:32-n16:32:64\"\n" +
                           assembly.str();
  std::unique_ptr<llvm::Module> module = llvm::parseAssemblyString(text, problem, context);
  if (!module) {
    std::string message;
    llvm::raw_string_ostream stream(message);
    problem.print("kernels", stream);
    return message;
  }
  return load(*module);
}

std::string EmulatedDevice::load(const llvm::Module &module) {
  llvm::SmallVector<char, 0> bitcode;
  llvm::raw_svector_ostream stream(bitcode);
  llvm::WriteBitcodeToFile(module, stream);
  char log[1024] = "";
  int options[] = {CU_JIT_ERROR_LOG_BUFFER, CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES};
  void *values[] = {log, reinterpret_cast<void *>(sizeof log)};
  if (module_)
    check(driver_.ModuleUnload(module_), "cuModuleUnload");
  module_ = nullptr;
  const CUresult code = driver_.ModuleLoadDataEx(&module_, bitcode.data(), 2, options, values);
  return code == CUDA_SUCCESS ? "" : log[0] ? log : "error " + std::to_string(code);
}

CUdeviceptr EmulatedDevice::allocate(size_t bytes) {
  CUdeviceptr address = 0;
  check(driver_.MemAlloc(&address, bytes), "cuMemAlloc");
  allocations_.push_back(address);
  return address;
}

CUdeviceptr EmulatedDevice::upload(const void *values, size_t bytes) {
  const CUdeviceptr address = allocate(bytes);
  check(driver_.MemcpyHtoDAsync(address, values, bytes, stream_), "cuMemcpyHtoDAsync");
  check(driver_.StreamSynchronize(stream_), "cuStreamSynchronize");
  return address;
}

void EmulatedDevice::download(void *values, CUdeviceptr address, size_t bytes) {
  check(driver_.MemcpyDtoHAsync(values, address, bytes, stream_), "cuMemcpyDtoHAsync");
  check(driver_.StreamSynchronize(stream_), "cuStreamSynchronize");
}

Outcome EmulatedDevice::run(const std::string &kernel, const Shape &shape, std::vector<uint64_t> parameters) {
  CUfunction function = nullptr;
  check(driver_.ModuleGetFunction(&function, module_, kernel.c_str()), "cuModuleGetFunction");
  check(driver_.FuncSetAttribute(function, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES,
                                 static_cast<int>(shape.sharedBytes)),
        "cuFuncSetAttribute");
  std::vector<void *> addresses;
  for (uint64_t &parameter : parameters)
    addresses.push_back(&parameter);
  takeEmulatorFault();
  const CUresult launched = driver_.LaunchKernel(function, shape.grid[0], shape.grid[1], shape.grid[2], shape.block, 1,
                                                 1, shape.sharedBytes, stream_, addresses.data(), nullptr);
  Outcome outcome = {launched ? launched : driver_.StreamSynchronize(stream_), takeEmulatorFault()};
  if (!launched && outcome.code) {
    // The fault stays with the context: the device is given back and taken again.
    CUcontext context = nullptr;
    check(driver_.CtxPopCurrent(&context), "cuCtxPopCurrent");
    check(driver_.DevicePrimaryCtxRelease(0), "cuDevicePrimaryCtxRelease");
    check(driver_.DevicePrimaryCtxRetain(&context, 0), "cuDevicePrimaryCtxRetain");
    check(driver_.CtxPushCurrent(context), "cuCtxPushCurrent");
  }
  return outcome;
}

} // namespace cnn::cuda
