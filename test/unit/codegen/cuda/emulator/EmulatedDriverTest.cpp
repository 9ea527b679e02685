// The emulated driver answers as the CUDA driver's documentation says that it does.
#include "test/unit/codegen/cuda/emulator/EmulatedDevice.h"
#include "test/unit/codegen/cuda/emulator/Kernels.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <optional>

using namespace cnn::cuda;

namespace {
/// Adds 1 to its element.
const std::string kIncrement = kernelOf(R"(
  %v = load float, ptr addrspace(1) %i, align 4
  %w = fadd float %v, 1.0
  store float %w, ptr addrspace(1) %o, align 4
)");

class EmulatedDriver : public testing::Test {
protected:
  EmulatedDriver() {
    EmulatorOptions options;
    options.memoryBytes = 1 << 20;
    device.emplace(options);
    EXPECT_EQ(device->load(kIncrement), "");
    EXPECT_EQ(driver().ModuleGetFunction(&function, device->module(), "k"), CUDA_SUCCESS);
  }
  const cnn_cuda_driver &driver() const { return device->driver(); }
  CUstream stream() const { return device->stream(); }
  CUresult launch(CUdeviceptr in, CUdeviceptr out, unsigned threads, unsigned shared = 0) {
    void *parameters[] = {&in, &out};
    return driver().LaunchKernel(function, 1, 1, 1, threads, 1, 1, shared, stream(), parameters, nullptr);
  }

  std::optional<EmulatedDevice> device;
  CUfunction function = nullptr;
};
} // namespace

TEST_F(EmulatedDriver, HasEveryEntryThatTheRuntimeUses) {
#define CNN_FIND(field, name, parameters) EXPECT_NE(emulatedDriverEntry(#name), nullptr) << #name;
  CNN_CUDA_ENTRIES(CNN_FIND)
#undef CNN_FIND
  EXPECT_EQ(emulatedDriverEntry("cuMemAlloc"), nullptr);
}

TEST_F(EmulatedDriver, DescribesItsDevice) {
  int count = 0, value = 0;
  char name[64];
  EXPECT_EQ(driver().DeviceGetCount(&count), CUDA_SUCCESS);
  EXPECT_EQ(count, 1);
  EXPECT_EQ(driver().DeviceGet(&value, 1), CUDA_ERROR_INVALID_DEVICE);
  EXPECT_EQ(driver().DeviceGetName(name, sizeof name, 0), CUDA_SUCCESS);
  EXPECT_STREQ(name, "emulated device of compute capability 9.0");
  EXPECT_EQ(driver().DeviceGetAttribute(&value, CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN, 0),
            CUDA_SUCCESS);
  EXPECT_EQ(value, 232448);
  EXPECT_EQ(driver().DeviceGetAttribute(&value, 10000, 0), CUDA_ERROR_INVALID_VALUE);
}

TEST_F(EmulatedDriver, ReplaysWhatAStreamCaptured) {
  std::array<float, 32> input = {}, output = {};
  const CUdeviceptr in = device->allocate(128), out = device->allocate(128);
  CUgraph graph = nullptr;
  CUgraphExec executable = nullptr;
  ASSERT_EQ(driver().StreamBeginCapture(stream(), CU_STREAM_CAPTURE_MODE_THREAD_LOCAL), CUDA_SUCCESS);
  EXPECT_EQ(driver().MemcpyHtoDAsync(in, input.data(), 128, stream()), CUDA_SUCCESS);
  EXPECT_EQ(launch(in, out, 32), CUDA_SUCCESS);
  EXPECT_EQ(driver().MemcpyDtoHAsync(output.data(), out, 128, stream()), CUDA_SUCCESS);
  ASSERT_EQ(driver().StreamEndCapture(stream(), &graph), CUDA_SUCCESS);
  ASSERT_EQ(driver().GraphInstantiateWithFlags(&executable, graph, 0), CUDA_SUCCESS);
  EXPECT_EQ(driver().GraphDestroy(graph), CUDA_SUCCESS);
  EXPECT_EQ(output[0], 0.0f); // Nothing happened yet.
  for (float value : {3.0f, 8.0f}) {
    input.fill(value);
    EXPECT_EQ(driver().GraphLaunch(executable, stream()), CUDA_SUCCESS);
    EXPECT_EQ(driver().StreamSynchronize(stream()), CUDA_SUCCESS);
    EXPECT_EQ(output[31], value + 1);
  }
  EXPECT_EQ(driver().GraphExecDestroy(executable), CUDA_SUCCESS);
  EXPECT_EQ(driver().GraphExecDestroy(executable), CUDA_ERROR_INVALID_HANDLE);
}

TEST_F(EmulatedDriver, WaitingInACaptureEndsIt) {
  CUgraph graph = nullptr;
  ASSERT_EQ(driver().StreamBeginCapture(stream(), CU_STREAM_CAPTURE_MODE_RELAXED), CUDA_SUCCESS);
  EXPECT_EQ(driver().StreamSynchronize(stream()), CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED);
  EXPECT_EQ(driver().StreamEndCapture(stream(), &graph), CUDA_ERROR_STREAM_CAPTURE_INVALIDATED);
  EXPECT_EQ(graph, nullptr);
}

TEST_F(EmulatedDriver, AFaultStaysUntilTheContextIsGivenBack) {
  const CUdeviceptr in = device->allocate(124);
  CUdeviceptr more = 0;
  EXPECT_EQ(launch(in, in, 32), CUDA_SUCCESS);
  EXPECT_EQ(driver().StreamSynchronize(stream()), CUDA_ERROR_ILLEGAL_ADDRESS);
  EXPECT_EQ(driver().MemAlloc(&more, 4), CUDA_ERROR_ILLEGAL_ADDRESS);
  EXPECT_EQ(launch(in, in, 1), CUDA_ERROR_ILLEGAL_ADDRESS);
  EXPECT_NE(takeEmulatorFault(), "");
  EXPECT_EQ(takeEmulatorFault(), "");
  CUcontext context = nullptr;
  EXPECT_EQ(driver().CtxPopCurrent(&context), CUDA_SUCCESS);
  EXPECT_EQ(driver().DevicePrimaryCtxRelease(0), CUDA_SUCCESS);
  EXPECT_EQ(driver().StreamSynchronize(stream()), CUDA_ERROR_INVALID_CONTEXT);
  EXPECT_EQ(driver().DevicePrimaryCtxRetain(&context, 0), CUDA_SUCCESS);
  EXPECT_EQ(driver().CtxPushCurrent(context), CUDA_SUCCESS);
  EXPECT_EQ(launch(in, in, 31), CUDA_SUCCESS);
  EXPECT_EQ(driver().StreamSynchronize(stream()), CUDA_SUCCESS);
}

TEST_F(EmulatedDriver, RefusesWhatDoesNotFit) {
  CUdeviceptr address = 0;
  size_t freeBytes = 0, totalBytes = 0;
  EXPECT_EQ(driver().MemAlloc(&address, (1 << 20) + 1), CUDA_ERROR_OUT_OF_MEMORY);
  const CUdeviceptr in = device->allocate(1 << 19);
  EXPECT_EQ(driver().MemAlloc(&address, (1 << 19) + 1), CUDA_ERROR_OUT_OF_MEMORY);
  EXPECT_EQ(driver().MemGetInfo(&freeBytes, &totalBytes), CUDA_SUCCESS);
  EXPECT_EQ(freeBytes, size_t(1) << 19);
  EXPECT_EQ(totalBytes, size_t(1) << 20);
  EXPECT_EQ(launch(in, in, 1025), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(launch(in, in, 0), CUDA_ERROR_INVALID_VALUE);
  // More shared memory than 48 KiB is asked for first, and there is no more than 227 KiB.
  EXPECT_EQ(launch(in, in, 32, 49153), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(driver().FuncSetAttribute(function, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, 232449),
            CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(driver().FuncSetAttribute(function, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, 49153), CUDA_SUCCESS);
  EXPECT_EQ(launch(in, in, 32, 49153), CUDA_SUCCESS);
}

TEST_F(EmulatedDriver, ChecksCopiesAndHandles) {
  const CUdeviceptr in = device->allocate(128);
  char bytes[129] = {};
  EXPECT_EQ(driver().MemcpyHtoDAsync(in, bytes, 129, stream()), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(driver().MemcpyDtoHAsync(bytes, in + 1, 128, stream()), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(driver().MemsetD8Async(in, 7, 128, stream()), CUDA_SUCCESS);
  EXPECT_EQ(device->download<char>(in, 128), std::vector<char>(128, 7));
  unsigned type = 0;
  EXPECT_EQ(driver().PointerGetAttribute(&type, CU_POINTER_ATTRIBUTE_MEMORY_TYPE, in + 127), CUDA_SUCCESS);
  EXPECT_EQ(type, unsigned(CU_MEMORYTYPE_DEVICE));
  EXPECT_EQ(driver().PointerGetAttribute(&type, CU_POINTER_ATTRIBUTE_MEMORY_TYPE, CUdeviceptr(bytes)),
            CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(driver().MemFree(in + 1), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(driver().ModuleGetFunction(&function, device->module(), "absent"), CUDA_ERROR_NOT_FOUND);
  CUmodule module = nullptr;
  EXPECT_EQ(driver().ModuleLoadDataEx(&module, ".version 7.0\n", 0, nullptr, nullptr), CUDA_ERROR_INVALID_IMAGE);
  EXPECT_EQ(driver().StreamSynchronize(reinterpret_cast<CUstream>(bytes)), CUDA_ERROR_INVALID_HANDLE);
  // New memory is NaN, so that what reads it before it is written is found out.
  EXPECT_TRUE(std::isnan(device->download<float>(device->allocate(4), 1)[0]));
}

TEST_F(EmulatedDriver, MeasuresTimeBetweenEvents) {
  CUevent begin = nullptr, end = nullptr;
  ASSERT_EQ(driver().EventCreate(&begin, CU_EVENT_DEFAULT), CUDA_SUCCESS);
  ASSERT_EQ(driver().EventCreate(&end, CU_EVENT_DEFAULT), CUDA_SUCCESS);
  float milliseconds = -1;
  EXPECT_EQ(driver().EventElapsedTime(&milliseconds, begin, end), CUDA_ERROR_INVALID_HANDLE);
  const CUdeviceptr in = device->allocate(4096);
  EXPECT_EQ(driver().EventRecord(begin, stream()), CUDA_SUCCESS);
  EXPECT_EQ(launch(in, in, 1024), CUDA_SUCCESS);
  EXPECT_EQ(driver().EventRecord(end, stream()), CUDA_SUCCESS);
  EXPECT_EQ(driver().EventElapsedTime(&milliseconds, begin, end), CUDA_SUCCESS);
  EXPECT_GT(milliseconds, 0);
  EXPECT_EQ(driver().EventDestroy(begin), CUDA_SUCCESS);
  EXPECT_EQ(driver().EventDestroy(end), CUDA_SUCCESS);
}
