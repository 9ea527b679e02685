// Libraries for GPUs: what the emulated device computes from the library that users get, what is in a package, and what
// is said where there is no device.
#include "test/unit/codegen/cuda/library/DeviceProgram.h"
#include "test/unit/runtime/cuda/StubDriver.h"

#include "codegen/cuda/Toolkit.h"
#include "codegen/cuda/library/CudaLibrary.h"
#include "codegen/package/CheckProgram.h"
#include "codegen/package/Header.h"
#include "codegen/package/Loaded.h"
#include "codegen/package/MachineCode.h"
#include "codegen/package/Package.h"
#include "runtime/cuda/cnn_cuda_abi.h"
#include "runtime/host/File.h"

#include "llvm/Support/FileSystem.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <dlfcn.h>

using namespace cnn;
using testing::HasSubstr;

namespace {

class CudaLibrary : public testing::Test {
protected:
  static void SetUpTestSuite() {
    cuda::registerLibraryTargets();
    registerLibraryTarget("cuda-stub", cuda::createLibraryTarget(stub::lookup));
  }
  void SetUp() override { stub::reset(); }
};

tiny::Options optionsFor(std::vector<std::string> architectures) {
  tiny::Options options;
  options.isas = std::move(architectures);
  options.twoOutputs = true;
  return options;
}

std::string text(llvm::Error error) { return error ? llvm::toString(std::move(error)) : ""; }

template <class T> std::string errorOf(llvm::Expected<T> value) {
  return value ? std::string("no error") : llvm::toString(value.takeError());
}

TEST_F(CudaLibrary, ComputesOnTheEmulatedDevice) {
  const tiny::Options options = optionsFor({"sm_80"});
  Program program = tiny::makeDeviceProgram(options, "cuda-emulated");
  auto loaded = Loaded::create(program);
  ASSERT_TRUE(bool(loaded)) << llvm::toString(loaded.takeError());
  EXPECT_EQ((*loaded)->isa(), "sm_80");
  ASSERT_EQ(text((*loaded)->openSession(3, 1)), "");
  for (int64_t batch : {3, 3, 3, 2}) {
    auto x = tiny::numbers(batch * tiny::kImage, static_cast<int>(batch)), bias = tiny::numbers(batch * tiny::kPlanes);
    std::vector<float> y(x.size()), sums(bias.size());
    ASSERT_EQ(text((*loaded)->run(batch, {x.data(), bias.data()}, {y.data(), sums.data()})), "");
    tiny::Result wanted = tiny::expected(options, batch, x.data(), bias.data());
    EXPECT_EQ(y, wanted.y);
    EXPECT_EQ(sums, wanted.sums);
  }
}

TEST_F(CudaLibrary, ShowsStepsAndGroups) {
  const tiny::Options options = optionsFor({"sm_80"});
  Program program = tiny::makeDeviceProgram(options, "cuda-emulated");
  auto loaded = Loaded::create(program);
  ASSERT_TRUE(bool(loaded)) << llvm::toString(loaded.takeError());
  ASSERT_EQ(text((*loaded)->openSession(2, 1)), "");
  auto x = tiny::numbers(2 * tiny::kImage), bias = tiny::numbers(2 * tiny::kPlanes);
  std::vector<float> y(x.size()), sums(bias.size());
  std::vector<size_t> steps;
  auto observer = [&](const StepView &view) {
    steps.push_back(view.index);
    if (view.index == 0 && !view.after)
      EXPECT_EQ(reinterpret_cast<const float *>(view.buffers[0])[5], x[5]);
    if (view.index == 2 && view.after) {
      auto [address, stride] = (*loaded)->resolve(program.steps[2].operands[1], 2);
      tiny::Result wanted = tiny::expected(options, 2, x.data(), bias.data());
      EXPECT_EQ(*reinterpret_cast<const float *>(address + stride), wanted.y[tiny::kImage]);
    }
  };
  ASSERT_EQ(text((*loaded)->run(2, {x.data(), bias.data()}, {y.data(), sums.data()}, StepObserver(observer))), "");
  EXPECT_EQ(steps, (std::vector<size_t>{0, 0, 1, 1, 2, 2}));
  EXPECT_EQ(y, tiny::expected(options, 2, x.data(), bias.data()).y);
  std::vector<int64_t> times(program.groups.size());
  ASSERT_EQ(text((*loaded)->runTimed(2, {x.data(), bias.data()}, {y.data(), sums.data()}, times)), "");
  EXPECT_GT(times[0] + times[1] + times[2], 0);
}

TEST_F(CudaLibrary, TellsWhatAKernelDidWrong) {
  Program program = tiny::makeDeviceProgram(optionsFor({"sm_80"}), "cuda-emulated");
  // A unit more than there is memory for.
  program.steps[2].kernels[0].fixedUnits = 64;
  auto loaded = Loaded::create(program);
  ASSERT_TRUE(bool(loaded)) << llvm::toString(loaded.takeError());
  ASSERT_EQ(text((*loaded)->openSession(1, 1)), "");
  auto x = tiny::numbers(tiny::kImage), bias = tiny::numbers(tiny::kPlanes);
  std::vector<float> y(x.size()), sums(bias.size());
  EXPECT_THAT(text((*loaded)->run(1, {x.data(), bias.data()}, {y.data(), sums.data()})),
              testing::AllOf(HasSubstr("the CUDA device failed"), HasSubstr("step2")));
}

TEST_F(CudaLibrary, SaysThatThereIsNoDevice) {
  if (void *driver = dlopen("libcuda.so.1", RTLD_NOW)) {
    dlclose(driver);
    GTEST_SKIP() << "SKIP this machine has a CUDA driver";
  }
  Program program = tiny::makeDeviceProgram(optionsFor({"sm_80"}), "cuda");
  EXPECT_EQ(errorOf(Loaded::create(program)), "tiny: there is no CUDA driver, libcuda.so.1, that can be loaded");
}

TEST_F(CudaLibrary, GivesTheDriverPtxOfItsArchitecture) {
  Program program = tiny::makeDeviceProgram(optionsFor({"sm_90a", "sm_80"}), "cuda-stub");
  for (int step = 0; step < 3; ++step)
    stub::machine().kernels["step" + std::to_string(step)] = {step == 2 ? size_t(12) : size_t(8),
                                                              [](const uint64_t *) {}};
  for (auto [capability, isa, version] :
       {std::tuple(90, "sm_90a", ".version 8.0"), std::tuple(120, "sm_80", ".version 7.0")}) {
    stub::machine().capability = capability;
    auto loaded = Loaded::create(program);
    ASSERT_TRUE(bool(loaded)) << llvm::toString(loaded.takeError());
    EXPECT_EQ((*loaded)->isa(), isa);
    EXPECT_THAT(stub::machine().loaded, HasSubstr(version));
    EXPECT_THAT(stub::machine().loaded, HasSubstr(std::string(".target ") + isa));
    EXPECT_THAT(stub::machine().loaded, HasSubstr(".entry step2("));
  }
  EXPECT_EQ(stub::leaks(), "");
  stub::machine().capability = 75;
  EXPECT_EQ(errorOf(Loaded::create(program)), "tiny: the library has no code for the architecture of the CUDA device");
  // By name, and the plan's figure when there is no memory.
  stub::machine().capability = 90;
  auto loaded = Loaded::create(program, "sm_80");
  ASSERT_TRUE(bool(loaded)) << llvm::toString(loaded.takeError());
  EXPECT_EQ((*loaded)->isa(), "sm_80");
  stub::machine().freeBytes = 1000;
  EXPECT_THAT(text((*loaded)->openSession(64, 1)),
              testing::AllOf(HasSubstr("as much free memory"), HasSubstr("a session for batches of 64 needs ")));
  EXPECT_EQ(errorOf(Loaded::create(program, "sm_75")), "there is no code for the architecture 'sm_75'");
}

TEST_F(CudaLibrary, IsInThePackageWithItsHeader) {
  llvm::SmallString<64> folder;
  ASSERT_FALSE(llvm::sys::fs::createUniqueDirectory("cnn-cuda-test", folder));
  Program program = tiny::makeDeviceProgram(optionsFor({"sm_80"}), "cuda");
  auto written = writePackage(program, {folder.str().str()});
  ASSERT_TRUE(bool(written)) << llvm::toString(written.takeError());
  auto bytes = host::readFile(folder.str().str() + "/libtiny.so");
  ASSERT_TRUE(bool(bytes));
  const std::string library(bytes->begin(), bytes->end());
  EXPECT_THAT(library, HasSubstr(".entry step0("));
  EXPECT_THAT(library, HasSubstr("libcuda.so.1"));
  // Machine code has sections of its own.
  if (cuda::findTool("ptxas"))
    EXPECT_THAT(library, HasSubstr(".nv.info.step0"));
  EXPECT_THAT(library, HasSubstr("tiny_device_bytes"));
  EXPECT_THAT(library, testing::Not(HasSubstr("tiny_use_driver"))) << "that is for tools";
  const std::string header = headerText(program, {});
  EXPECT_THAT(header, HasSubstr("int device;"));
  EXPECT_THAT(header, HasSubstr("void *stream;"));
  EXPECT_THAT(header, HasSubstr("#define TINY_MODEL_BYTES " + std::to_string(CNN_CUDA_MODEL_BYTES(3)) + " "));
  EXPECT_THAT(header, testing::Not(HasSubstr("@")));
  llvm::sys::fs::remove_directories(folder);
}

TEST_F(CudaLibrary, RefusesLaunchesThatNoDeviceTakes) {
  const std::pair<DeviceLaunch, const char *> cases[] = {{{0, 1, 1, 32, 0}, "no units"},
                                                         {{1, 1, 1, 1025, 0}, "threads"},
                                                         {{1, 65536, 1, 32, 0}, "grid"},
                                                         {{1, 1, 0, 32, 0}, "grid"},
                                                         {{1, 1, 1, 32, -1}, "shared"}};
  for (const auto &[launch, what] : cases) {
    Program program = tiny::makeDeviceProgram(optionsFor({"sm_80"}), "cuda");
    EXPECT_EQ(text(checkProgram(program)), "");
    program.steps[1].kernels[0].device = launch;
    EXPECT_THAT(text(checkProgram(program)), HasSubstr("no kernel 'step1' for sm_80")) << what;
  }
  Program program = tiny::makeDeviceProgram(optionsFor({"sm_80"}), "gpu");
  EXPECT_THAT(text(checkProgram(program)), HasSubstr("there is no target 'gpu'"));
  program.target = "cuda";
  EXPECT_THAT(errorOf(emitKernels(program, 0, CodeStage::Object)), HasSubstr("PTX"));
}

} // namespace
