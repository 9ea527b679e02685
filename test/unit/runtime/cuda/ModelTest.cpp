// Models on the stub driver: which device, which image, and what is said where there is none.
#include "test/unit/runtime/cuda/Fixture.h"

#include <array>
#include <cstring>

using CudaModel = CudaTest;

TEST_F(CudaModel, TakesTheMostCapableImageOfTheDevice) {
  const std::array<std::pair<int, const char *>, 7> cases = {{{75, "ptx 75"},
                                                              {80, "cubin 80"},
                                                              {89, "cubin 80"},
                                                              {90, "ptx 90a"},
                                                              {120, "ptx 80"},
                                                              {121, "ptx 80"},
                                                              {130, "ptx 80"}}};
  for (auto [capability, image] : cases) {
    stub::machine().capability = capability;
    Model model;
    ASSERT_EQ(model.init(), CNN_OK) << capability;
    EXPECT_EQ(stub::machine().loaded, image) << capability;
    EXPECT_STREQ(cnn_api_isa(model.get()), capability == 75 ? "sm_75" : capability == 90 ? "sm_90a" : "sm_80");
  }
  stub::machine().capability = 70;
  Model model;
  EXPECT_EQ(model.init(), CNN_ERROR_DEVICE_ARCHITECTURE);
  EXPECT_EQ(cnn_api_isa(model.get()), nullptr);
}

TEST_F(CudaModel, TriesTheNextImageWhenTheDriverRefusesOne) {
  stub::machine().refused["cubin 80"] = CUDA_ERROR_NO_BINARY_FOR_GPU;
  {
    Model model;
    ASSERT_EQ(model.init(), CNN_OK);
    EXPECT_EQ(stub::machine().loaded, "ptx 80");
  }
  stub::machine().refused["ptx 80"] = CUDA_ERROR_UNSUPPORTED_PTX_VERSION;
  {
    Model model;
    ASSERT_EQ(model.init(), CNN_OK);
    EXPECT_STREQ(cnn_api_isa(model.get()), "sm_75");
  }
  // The reason of the first is the one that tells most.
  stub::machine().refused["cubin 80"] = CUDA_ERROR_UNSUPPORTED_PTX_VERSION;
  stub::machine().refused["ptx 75"] = CUDA_ERROR_INVALID_PTX;
  Model model;
  EXPECT_EQ(model.init(), CNN_ERROR_DRIVER_VERSION);
  EXPECT_EQ(cnn_api_driver_error(), int(CUDA_ERROR_UNSUPPORTED_PTX_VERSION));
}

TEST_F(CudaModel, ObeysTheEnvironment) {
  setenv("CNN_ISA", "sm_75", 1);
  {
    Model model;
    ASSERT_EQ(model.init(), CNN_OK);
    EXPECT_STREQ(cnn_api_isa(model.get()), "sm_75");
  }
  setenv("CNN_ISA", "sm_90a", 1);
  Model model;
  EXPECT_EQ(model.init(), CNN_ERROR_ISA_UNSUPPORTED);
  setenv("CNN_ISA", "avx2", 1);
  EXPECT_EQ(model.init(), CNN_ERROR_ISA_UNKNOWN);
  unsetenv("CNN_ISA");
}

TEST_F(CudaModel, WorksOnTheDeviceThatIsAskedFor) {
  {
    Model model;
    ASSERT_EQ(model.init(1), CNN_OK);
    EXPECT_EQ(stub::machine().device, 1);
  }
  for (int device : {-1, 2}) {
    Model model;
    EXPECT_EQ(model.init(device), CNN_ERROR_DEVICE_MISSING) << device;
  }
  stub::machine().devices = 0;
  Model model;
  EXPECT_EQ(model.init(), CNN_ERROR_DEVICE_MISSING);
}

TEST_F(CudaModel, SaysThatThereIsNoDriver) {
  // No machine that runs tests in continuous integration has one; where one is, this test has nothing to show.
  cnn_api_use_driver(nullptr);
  Model model;
  const int code = model.init();
  if (code == CNN_OK)
    GTEST_SKIP() << "SKIP this machine has a CUDA driver";
  EXPECT_TRUE(code == CNN_ERROR_DRIVER_MISSING || code == CNN_ERROR_DEVICE_MISSING) << cnn_api_error(code);
}

TEST_F(CudaModel, RefusesADriverThatLacksAnEntry) {
#define EXPECT_REFUSED(field, entry, parameters)                                                                       \
  {                                                                                                                    \
    stub::machine().missingEntry = #entry;                                                                             \
    Model model;                                                                                                       \
    EXPECT_EQ(model.init(), CNN_ERROR_DRIVER_VERSION) << #entry;                                                       \
  }
  CNN_CUDA_ENTRIES(EXPECT_REFUSED)
#undef EXPECT_REFUSED
  EXPECT_TRUE(stub::machine().calls.empty());
}

TEST_F(CudaModel, ChecksWhatKernelsNeed) {
  stub::machine().mostSharedBytes = 64 * 1024 - 1;
  {
    Model model;
    EXPECT_EQ(model.init(), CNN_ERROR_DEVICE_RESOURCES);
  }
  stub::machine().mostSharedBytes = 64 * 1024;
  {
    Model model;
    EXPECT_EQ(model.init(), CNN_OK);
  }
  stub::machine().kernels["scale"].sharedBytes = 1;
  {
    Model model;
    EXPECT_EQ(model.init(), CNN_ERROR_DEVICE_RESOURCES);
  }
  stub::machine().kernels["scale"].sharedBytes = 0;
  stub::machine().kernels["table"].mostThreads = 127;
  Model model;
  EXPECT_EQ(model.init(), CNN_ERROR_DEVICE_RESOURCES);
}

TEST_F(CudaModel, TakesOptionsOfBothSizes) {
  Memory memory = memoryOf(cnn_api_model_bytes());
  auto *model = reinterpret_cast<cnn_model *>(memory.get());
  EXPECT_EQ(cnn_api_model_init(nullptr, nullptr), CNN_ERROR_NULL);
  EXPECT_EQ(cnn_api_model_init(reinterpret_cast<cnn_model *>(memory.get() + 8), nullptr), CNN_ERROR_ALIGNMENT);
  cnn_cuda_model_options options = {{sizeof options - 1, nullptr, nullptr, 0}, 1};
  EXPECT_EQ(cnn_api_model_init(model, &options.common), CNN_ERROR_OPTIONS);
  options.common.size = sizeof options.common;
  ASSERT_EQ(cnn_api_model_init(model, &options.common), CNN_OK);
  EXPECT_EQ(stub::machine().device, 0) << "the CPU's options have no device";
  cnn_api_model_end(model);
  ASSERT_EQ(cnn_api_model_init(model, nullptr), CNN_OK);
  cnn_api_model_end(model);
  cnn_api_model_end(model);
}
