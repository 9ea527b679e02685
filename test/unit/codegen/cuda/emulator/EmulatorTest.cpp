// What the emulator computes and what it refuses, with kernels of a few lines.
#include "test/unit/codegen/cuda/emulator/EmulatedDevice.h"
#include "test/unit/codegen/cuda/emulator/Kernels.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

using namespace cnn::cuda;
using ::testing::HasSubstr;

namespace {
const ThreadOrder kOrders[] = {ThreadOrder::Forward, ThreadOrder::Reverse, ThreadOrder::Shuffled};

std::vector<float> numbers(size_t count) {
  std::vector<float> values(count);
  std::iota(values.begin(), values.end(), 1.0f);
  return values;
}

/// Runs kernel `k` on `count` floats in a block of `block` threads, with 4 bytes of shared memory a thread.
Outcome runOn(const std::string &text, unsigned block, std::vector<float> &output, EmulatorOptions options = {},
              size_t count = 0) {
  EmulatedDevice device(options);
  EXPECT_EQ(device.load(text), "");
  const size_t all = count ? count : block;
  const CUdeviceptr in = device.upload(numbers(all)), out = device.allocate(all * 4);
  Outcome outcome = device.run("k", {{1, 1, 1}, block, block * 4}, {in, out});
  output = device.download<float>(out, all);
  return outcome;
}

Outcome runBlock(const std::string &body, unsigned block, EmulatorOptions options = {}) {
  std::vector<float> output;
  return runOn(kernelOf(body), block, output, options);
}

/// Writes its element to shared memory and reads its neighbour's.
std::string exchange(const std::string &barrier) {
  return R"(
  %v = load float, ptr addrspace(1) %i, align 4
  store float %v, ptr addrspace(3) %s, align 4
)" + barrier +
         R"(
  %j = xor i64 %n, 33
  %sj = getelementptr float, ptr addrspace(3) @cnn_shared, i64 %j
  %w = load float, ptr addrspace(3) %sj, align 4
  store float %w, ptr addrspace(1) %o, align 4
)";
}
const std::string kBarrier = "  call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0)\n";
} // namespace

TEST(Emulator, ExchangesThroughSharedMemoryInEveryOrder) {
  for (ThreadOrder order : kOrders) {
    EmulatorOptions options;
    options.order = order;
    std::vector<float> output;
    const Outcome outcome = runOn(kernelOf(exchange(kBarrier)), 64, output, options);
    ASSERT_EQ(outcome.code, CUDA_SUCCESS) << outcome.fault;
    for (size_t i = 0; i < 64; ++i)
      EXPECT_EQ(output[i], float((i ^ 33) + 1)) << i;
  }
}

TEST(Emulator, FindsAMissingBarrierInEveryOrder) {
  for (ThreadOrder order : kOrders) {
    EmulatorOptions options;
    options.order = order;
    const Outcome outcome = runBlock(exchange(""), 64, options);
    EXPECT_EQ(outcome.code, CUDA_ERROR_LAUNCH_FAILED);
    EXPECT_THAT(outcome.fault, HasSubstr("race in shared memory"));
    EXPECT_THAT(outcome.fault, HasSubstr("kernel 'k', block (0, 0, 0), thread ("));
  }
}

TEST(Emulator, FindsAMissingBarrierBeforeMemoryIsWrittenAgain) {
  const std::string again = "  store float 0.0, ptr addrspace(3) %s, align 4\n";
  EXPECT_THAT(runBlock(exchange(kBarrier) + again, 64).fault, HasSubstr("race in shared memory"));
  EXPECT_EQ(runBlock(exchange(kBarrier) + kBarrier + again, 64).fault, "");
  // Lanes that have met have read what they exchanged, but a shuffle orders no memory.
  const std::string shuffle = "  %z = call float @llvm.nvvm.shfl.sync.bfly.f32(i32 -1, float %w, i32 1, i32 31)\n";
  std::string body = exchange(kBarrier);
  body.replace(body.find("%n, 33"), 6, "%n, 1");
  EXPECT_THAT(runBlock(body + shuffle + again, 64).fault, HasSubstr("was read by thread"));
}

TEST(Emulator, ABarrierOfAWarpOrdersItsLanesAlone) {
  const std::string warp = "  call void @llvm.nvvm.bar.warp.sync(i32 -1)\n";
  std::string body = exchange(warp);
  EXPECT_THAT(runBlock(body, 64).fault, HasSubstr("race"));
  body.replace(body.find("%n, 33"), 6, "%n, 17");
  EXPECT_EQ(runBlock(body, 64).fault, "");
}

TEST(Emulator, WithoutTheCheckARaceShowsInTheValues) {
  EmulatorOptions options;
  options.checkRaces = false;
  std::vector<float> forward, reverse;
  runOn(kernelOf(exchange("")), 64, forward, options);
  options.order = ThreadOrder::Reverse;
  runOn(kernelOf(exchange("")), 64, reverse, options);
  // Who reads first reads what no one has written: NaN.
  EXPECT_TRUE(std::isnan(forward[0]));
  EXPECT_EQ(reverse[0], 34.0f);
}

TEST(Emulator, FindsDivergentBarriers) {
  const std::string returns = R"(
  %c = icmp ult i32 %t, 40
  br i1 %c, label %wait, label %end
wait:
)" + kBarrier + "  br label %end\nend:\n";
  EXPECT_THAT(runBlock(returns, 64).fault, HasSubstr("divergent barrier"));
  EXPECT_THAT(runBlock(returns, 64).fault, HasSubstr("have returned"));
  const std::string apart = R"(
  %c = icmp ult i32 %t, 32
  br i1 %c, label %one, label %two
one:
)" + kBarrier + "  br label %end\ntwo:\n" +
                            kBarrier + "  br label %end\nend:\n";
  EXPECT_THAT(runBlock(apart, 64).fault, HasSubstr("divergent barrier 0: others wait at"));
  // Who comes by which way does not matter when only one does.
  EXPECT_EQ(runBlock(apart, 32).fault, "");
}

TEST(Emulator, NamedBarriersOrderThoseThatArrive) {
  // The first warp produces and does not wait, the second consumes.
  const std::string body = R"(
  %c = icmp ult i32 %t, 32
  br i1 %c, label %produce, label %consume
produce:
  store float 5.0, ptr addrspace(3) %s, align 4
  call void @llvm.nvvm.barrier.cta.arrive.aligned.count(i32 1, i32 64)
  br label %end
consume:
  call void @llvm.nvvm.barrier.cta.sync.aligned.count(i32 1, i32 64)
  %j = and i64 %n, 31
  %sj = getelementptr float, ptr addrspace(3) @cnn_shared, i64 %j
  %w = load float, ptr addrspace(3) %sj, align 4
  store float %w, ptr addrspace(1) %o, align 4
  br label %end
end:
)";
  for (ThreadOrder order : kOrders) {
    EmulatorOptions options;
    options.order = order;
    std::vector<float> output;
    EXPECT_EQ(runOn(kernelOf(body), 64, output, options).fault, "");
    EXPECT_EQ(output[63], 5.0f);
  }
  std::string tooMany = body;
  for (size_t at = 0; (at = tooMany.find("i32 64)", at)) != std::string::npos; ++at)
    tooMany.replace(at, 7, "i32 96)");
  EXPECT_THAT(runBlock(tooMany, 64).fault, HasSubstr("a barrier of 96 threads; the block has 64"));
}

TEST(Emulator, FindsAccessesOutOfBounds) {
  const std::string load = "  %v = load float, ptr addrspace(1) %i, align 4\n";
  std::vector<float> output;
  EXPECT_THAT(runOn(kernelOf(load), 32, output, {}, 31).fault,
              HasSubstr("thread (31, 0, 0), load float (instruction 6): 4 bytes at 124 of an allocation of 124 bytes"));
  const std::string store = "  store float 0.0, ptr addrspace(1) %o, align 4\n";
  EXPECT_THAT(runOn(kernelOf(store), 32, output, {}, 31).fault, HasSubstr("store float"));
  EXPECT_EQ(runOn(kernelOf(load + store), 32, output, {}, 32).fault, "");
  const std::string shared = "  %v = load <2 x float>, ptr addrspace(3) %s, align 4\n";
  EXPECT_THAT(runBlock(shared, 32).fault, HasSubstr("8 bytes at 124 of 128 bytes of shared memory"));
  const std::string host = R"(
  %p = inttoptr i64 4096 to ptr
  %v = load float, ptr %p, align 4
)";
  const Outcome outcome = runBlock(host, 32);
  EXPECT_EQ(outcome.code, CUDA_ERROR_ILLEGAL_ADDRESS);
  EXPECT_THAT(outcome.fault, HasSubstr("which is not memory of the device"));
}

TEST(Emulator, FindsMisalignedAccessesByTheirWidth) {
  const std::string body = R"(
  %half = lshr i64 %n, 1
  %e = getelementptr float, ptr addrspace(1) %in, i64 %half
  %v = load <4 x float>, ptr addrspace(1) %e, align 16
)";
  const Outcome outcome = runBlock(body, 32);
  EXPECT_EQ(outcome.code, CUDA_ERROR_MISALIGNED_ADDRESS);
  EXPECT_THAT(outcome.fault, HasSubstr("thread (2, 0, 0), load <4 x float>"));
  // Four loads of 4 bytes are what this promises.
  std::string narrow = body;
  narrow.replace(narrow.find("align 16"), 8, "align 4");
  EXPECT_EQ(runBlock(narrow, 32).fault, "");
}

TEST(Emulator, ChecksMaskedAccessesAndCopiesOfMemory) {
  const std::string text = kDeclarations + R"(
declare <4 x float> @llvm.masked.load.v4f32.p1(ptr addrspace(1), i32, <4 x i1>, <4 x float>)
declare void @llvm.memcpy.p1.p1.i64(ptr addrspace(1), ptr addrspace(1), i64, i1)
define ptx_kernel void @k(ptr addrspace(1) %in, ptr addrspace(1) %out) {
  %last = getelementptr float, ptr addrspace(1) %in, i64 2
  %v = call <4 x float> @llvm.masked.load.v4f32.p1(ptr addrspace(1) %last, i32 4, <4 x i1> <i1 1, i1 0, i1 0, i1 0>,
                                                   <4 x float> zeroinitializer)
  call void @llvm.memcpy.p1.p1.i64(ptr addrspace(1) %out, ptr addrspace(1) %in, i64 LENGTH, i1 false)
  ret void
})";
  auto run = [&](const std::string &length) {
    std::string changed = text;
    changed.replace(changed.find("LENGTH"), 6, length);
    std::vector<float> output;
    const Outcome outcome = runOn(changed, 1, output, {}, 3);
    if (outcome.fault.empty())
      EXPECT_EQ(output, numbers(3));
    return outcome.fault;
  };
  EXPECT_EQ(run("12"), "");
  EXPECT_THAT(run("13"), HasSubstr("13 bytes at 0 of an allocation of 12 bytes"));
}

TEST(Emulator, ReadsConstantsOfTheModuleAndRefusesToWriteThem) {
  const std::string text = kDeclarations + R"(
@table = private unnamed_addr addrspace(1) constant [2 x float] [float 3.0, float 4.0]
define ptx_kernel void @k(ptr addrspace(1) %in, ptr addrspace(1) %out) {
  %p = getelementptr float, ptr addrspace(1) @table, i64 1
  %v = load float, ptr addrspace(1) %p, align 4
  store float %v, ptr addrspace(1) TARGET, align 4
  ret void
})";
  std::vector<float> output;
  std::string right = text, wrong = text;
  right.replace(right.find("TARGET"), 6, "%out");
  wrong.replace(wrong.find("TARGET"), 6, "%p");
  EXPECT_EQ(runOn(right, 1, output).fault, "");
  EXPECT_EQ(output[0], 4.0f);
  EXPECT_THAT(runOn(wrong, 1, output).fault, HasSubstr("writes to a constant"));
}

TEST(Emulator, KeepsLocalMemoryOfEachThread) {
  const std::string body = R"(
  %a = alloca [4 x float], align 16
  %e = getelementptr float, ptr %a, i64 2
  %v = load float, ptr addrspace(1) %i, align 4
  store float %v, ptr %e, align 4
)" + kBarrier + R"(
  %w = load float, ptr %e, align 4
  store float %w, ptr addrspace(1) %o, align 4
)";
  std::vector<float> output;
  EXPECT_EQ(runOn(kernelOf(body), 96, output).fault, "");
  EXPECT_EQ(output, numbers(96));
}

TEST(Emulator, RunsGridsOfBlocksOnSeveralWorkers) {
  const std::string text = kDeclarations + R"(
declare i32 @llvm.nvvm.read.ptx.sreg.ctaid.y()
declare i32 @llvm.nvvm.read.ptx.sreg.nctaid.x()
define ptx_kernel void @k(ptr addrspace(1) noalias %out, i64 %count) {
  %t = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %x = call i32 @llvm.nvvm.read.ptx.sreg.ctaid.x()
  %y = call i32 @llvm.nvvm.read.ptx.sreg.ctaid.y()
  %nx = call i32 @llvm.nvvm.read.ptx.sreg.nctaid.x()
  %nt = call i32 @llvm.nvvm.read.ptx.sreg.ntid.x()
  %row = mul i32 %y, %nx
  %block = add i32 %row, %x
  %first = mul i32 %block, %nt
  %number = add i32 %first, %t
  %n = zext i32 %number to i64
  %c = icmp ult i64 %n, %count
  br i1 %c, label %yes, label %no
yes:
  %p = getelementptr i32, ptr addrspace(1) %out, i64 %n
  store i32 %number, ptr addrspace(1) %p, align 4
  br label %no
no:
  ret void
})";
  EmulatorOptions options;
  options.workers = 3;
  EmulatedDevice device(options);
  ASSERT_EQ(device.load(text), "");
  const CUdeviceptr out = device.allocate(4 * 1000);
  EXPECT_EQ(device.run("k", {{5, 4, 1}, 64, 0}, {out, 1000}).fault, "");
  std::vector<int> expected(1000);
  std::iota(expected.begin(), expected.end(), 0);
  EXPECT_EQ(device.download<int>(out, 1000), expected);
  EXPECT_THAT(device.run("k", {{5, 4, 1}, 64, 0}, {out, 1001}).fault, HasSubstr("block (0, 3, 0), thread (40, 0, 0)"));
}

namespace {
/// A kernel of two operands as the compiler makes them; each thread copies an element, or does what `body` says.
std::string operandKernel(const std::string &attributes, const std::string &body) {
  return kDeclarations +
         "define ptx_kernel void @k(ptr readonly align 16 %in, ptr noalias align 16 %out, i64 %s0, "
         "i64 %s1, i64 %batch, i64 %units) " +
         attributes + R"( {
  %t = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %b = call i32 @llvm.nvvm.read.ptx.sreg.ctaid.x()
  %n = zext i32 %t to i64
  %first = mul i64 %n, %s0
  %i = getelementptr i8, ptr %in, i64 %first
  %second = mul i64 %n, %s1
  %o = getelementptr i8, ptr %out, i64 %second
  %v = load float, ptr %i, align 4
)" + body +
         "  ret void\n}\n";
}
const std::string kStore = "  store float %v, ptr %o, align 4\n";
} // namespace

TEST(Emulator, HoldsKernelsToWhatTheySayOfTheirOperands) {
  EmulatedDevice device;
  const CUdeviceptr memory = device.upload(numbers(1024));
  const std::string attribute = "\"cnn-operand-bytes\"=\"4,4\"";
  ASSERT_EQ(device.load(operandKernel(attribute, kStore)), "");
  auto run = [&](CUdeviceptr in, CUdeviceptr out, uint64_t inStride, uint64_t outStride, uint64_t batch) {
    return device.run("k", {{1, 1, 1}, 8, 0}, {in, out, inStride, outStride, batch, 8}).fault;
  };
  EXPECT_EQ(run(memory, memory + 1024, 4, 4, 8), "");
  // Slices of the same images.
  EXPECT_EQ(run(memory, memory + 16, 32, 32, 8), "");
  EXPECT_THAT(run(memory, memory + 1024, 4, 4, 7), HasSubstr("4 bytes at 28 of operand 0, which has 28 bytes"));
  EXPECT_THAT(run(memory, memory + 16, 4, 4, 8), HasSubstr("operand 1, which the kernel declares noalias, overlaps"));
  EXPECT_THAT(run(memory, memory + 1028, 4, 4, 8), HasSubstr("parameter 1, 0x"));
  ASSERT_EQ(device.load(operandKernel(attribute, "  store float %v, ptr %i, align 4\n")), "");
  EXPECT_THAT(run(memory, memory + 1024, 4, 4, 8),
              HasSubstr("through parameter 0, which the kernel declares readonly"));
  EXPECT_THAT(device.load(operandKernel("\"cnn-operand-bytes\"=\"4,4,4\"", kStore)),
              HasSubstr("has fewer parameters than its operands need"));
}

TEST(Emulator, LaunchesBlocksOfTheRequiredSizeOnly) {
  EmulatedDevice device;
  const CUdeviceptr memory = device.upload(numbers(1024));
  ASSERT_EQ(device.load(operandKernel("\"nvvm.reqntid\"=\"8,1,1\"", kStore)), "");
  const std::vector<uint64_t> parameters = {memory, memory + 1024, 4, 4, 8, 8};
  EXPECT_EQ(device.run("k", {{1, 1, 1}, 8, 0}, parameters).code, CUDA_SUCCESS);
  EXPECT_EQ(device.run("k", {{1, 1, 1}, 16, 0}, parameters).code, CUDA_ERROR_INVALID_VALUE);
}

TEST(Emulator, FindsRacesInGlobalMemory) {
  EmulatedDevice device;
  const CUdeviceptr memory = device.upload(numbers(1024));
  auto run = [&](const std::string &body, uint64_t outStride, unsigned blocks, unsigned distance) {
    EXPECT_EQ(device.load(operandKernel("", body)), "");
    return device.run("k", {{blocks, 1, 1}, 8, 0}, {memory, memory + distance, 4, outStride, 8, 8}).fault;
  };
  EXPECT_EQ(run(kStore, 4, 1, 1024), "");
  EXPECT_THAT(run(kStore, 0, 1, 1024), HasSubstr("race in global memory: what it writes at 1024 of an allocation was "
                                                 "written by thread 0 of block 0"));
  EXPECT_THAT(run(kStore, 4, 2, 1024), HasSubstr("was written by thread 0 of block 0"));
  // A thread reads what its neighbour writes.
  EXPECT_THAT(run(kStore, 4, 1, 16), HasSubstr("race in global memory: what it reads"));
  const std::string barrier = "  call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0)\n";
  EXPECT_EQ(run(barrier + kStore, 4, 1, 16), "");
  EXPECT_THAT(run(barrier + kStore, 4, 2, 16), HasSubstr("of block 0"));
  const std::string atomic = "  %old = atomicrmw fadd ptr %o, float %v monotonic, align 4\n";
  EXPECT_EQ(run(atomic, 0, 2, 1024), "");
}

TEST(Emulator, RefusesModulesThatItCannotRun) {
  EmulatedDevice device;
  EXPECT_THAT(device.load("declare i64 @llvm.nvvm.read.ptx.sreg.clock64()\n"
                          "define ptx_kernel void @k() {\n  %c = call i64 @llvm.nvvm.read.ptx.sreg.clock64()\n"
                          "  ret void\n}"),
              HasSubstr("function 'k': the emulator does not know the operation 'llvm.nvvm.read.ptx.sreg.clock64'"));
  EXPECT_THAT(device.load("declare float @__nv_expf(float)\ndefine ptx_kernel void @k() {\n"
                          "  %c = call float @__nv_expf(float 0.0)\n  ret void\n}"),
              HasSubstr("calls '__nv_expf', which the module does not define"));
  EXPECT_THAT(device.load("define ptx_kernel void @k() {\n  call void asm sideeffect \"trap;\", \"\"()\n  ret void\n}"),
              HasSubstr("the inline assembly 'trap;'"));
}

TEST(Emulator, CountsBankConflicts) {
  // Lane i reads word `i * stride`.
  auto extra = [](int stride, const std::string &type, int bytes) {
    const std::string body = "  %w = mul i64 %n, " + std::to_string(stride) + R"(
  %p = getelementptr float, ptr addrspace(3) @cnn_shared, i64 %w
  %v = load )" + type + ", ptr addrspace(3) %p, align " +
                             std::to_string(bytes) + "\n";
    EmulatorOptions options;
    options.countBankConflicts = true;
    EmulatedDevice device(options);
    EXPECT_EQ(device.load(kernelOf(body)), "");
    takeBankCounts();
    EXPECT_EQ(device.run("k", {{2, 1, 1}, 64, 16384}, {device.allocate(256), device.allocate(256)}).fault, "");
    std::vector<BankCount> counts = takeBankCounts();
    EXPECT_EQ(counts.size(), 1u);
    EXPECT_EQ(counts[0].accesses, 4);
    EXPECT_EQ(counts[0].kernel, "k");
    return counts[0].extra / 4;
  };
  EXPECT_EQ(extra(0, "float", 4), 0);
  EXPECT_EQ(extra(1, "float", 4), 0);
  EXPECT_EQ(extra(2, "float", 4), 1);
  EXPECT_EQ(extra(33, "float", 4), 0);
  EXPECT_EQ(extra(32, "float", 4), 31);
  EXPECT_EQ(extra(2, "<2 x float>", 8), 0);
  EXPECT_EQ(extra(4, "<4 x float>", 16), 0);
  EXPECT_EQ(extra(8, "<4 x float>", 16), 4);
}
