// Operations that the lanes of a warp do together, copies that go on beside them, and products of matrices.
#include "test/unit/codegen/cuda/emulator/EmulatedDevice.h"
#include "test/unit/codegen/cuda/emulator/Kernels.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <random>

using namespace cnn::cuda;
using ::testing::HasSubstr;

namespace {
/// Runs a body that ends with its answer in %r (i32), and returns the answers of a warp whose inputs are 100 + lane.
std::vector<int> answers(const std::string &body, Outcome &outcome) {
  EmulatedDevice device;
  EXPECT_EQ(device.load(kernelOf("  %v = load i32, ptr addrspace(1) %i, align 4\n" + body +
                                 "  store i32 %r, ptr addrspace(1) %o, align 4\n")),
            "");
  std::vector<int> input(32);
  for (int i = 0; i < 32; ++i)
    input[i] = 100 + i;
  const CUdeviceptr in = device.upload(input), out = device.allocate(128);
  outcome = device.run("k", {{1, 1, 1}, 32, 0}, {in, out});
  return device.download<int>(out, 32);
}

std::vector<int> answers(const std::string &body) {
  Outcome outcome;
  std::vector<int> result = answers(body, outcome);
  EXPECT_EQ(outcome.fault, "");
  return result;
}
} // namespace

TEST(WarpOperations, Shuffles) {
  const auto down = answers("  %r = call i32 @llvm.nvvm.shfl.sync.down.i32(i32 -1, i32 %v, i32 3, i32 31)\n");
  const auto index = answers("  %r = call i32 @llvm.nvvm.shfl.sync.idx.i32(i32 -1, i32 %v, i32 5, i32 31)\n");
  const auto up = answers(R"(
  %p = call {i32, i1} @llvm.nvvm.shfl.sync.up.i32p(i32 -1, i32 %v, i32 2, i32 0)
  %a = extractvalue {i32, i1} %p, 0
  %b = extractvalue {i32, i1} %p, 1
  %c = zext i1 %b to i32
  %m = mul i32 %c, 1000
  %r = add i32 %a, %m
)");
  // In segments of 8 lanes.
  const auto segments = answers("  %r = call i32 @llvm.nvvm.shfl.sync.down.i32(i32 -1, i32 %v, i32 1, i32 6175)\n");
  for (int lane = 0; lane < 32; ++lane) {
    EXPECT_EQ(down[lane], lane + 3 < 32 ? 103 + lane : 100 + lane);
    EXPECT_EQ(index[lane], 105);
    EXPECT_EQ(up[lane], lane >= 2 ? 1098 + lane : 100 + lane);
    EXPECT_EQ(segments[lane], lane % 8 < 7 ? 101 + lane : 100 + lane);
  }
}

TEST(WarpOperations, VotesAndReductions) {
  const auto ballot = answers(R"(
  %odd = trunc i32 %v to i1
  %r = call i32 @llvm.nvvm.vote.ballot.sync(i32 -1, i1 %odd)
)");
  const auto largest = answers("  %r = call i32 @llvm.nvvm.redux.sync.max(i32 %v, i32 -1)\n");
  const auto count = answers(R"(
  %few = icmp ult i32 %v, 107
  %r = call i32 @llvm.nvvm.barrier.cta.red.popc.aligned.all(i32 0, i1 %few)
)");
  for (int lane = 0; lane < 32; ++lane) {
    EXPECT_EQ(static_cast<uint32_t>(ballot[lane]), 0xaaaaaaaau);
    EXPECT_EQ(largest[lane], 131);
    EXPECT_EQ(count[lane], 7);
  }
}

TEST(WarpOperations, FindLanesThatDoNotMeet) {
  Outcome outcome;
  answers(R"(
  %c = icmp ult i32 %t, 16
  br i1 %c, label %yes, label %no
yes:
  %s1 = call i32 @llvm.nvvm.shfl.sync.down.i32(i32 -1, i32 %v, i32 3, i32 31)
  br label %no
no:
  %r = phi i32 [%s1, %yes], [0, %0]
)",
          outcome);
  EXPECT_EQ(outcome.code, CUDA_ERROR_LAUNCH_TIMEOUT);
  EXPECT_THAT(outcome.fault, HasSubstr("waits for lanes of its warp that do not come"));
  answers("  %r = call i32 @llvm.nvvm.shfl.sync.idx.i32(i32 65535, i32 %v, i32 20, i32 31)\n", outcome);
  EXPECT_THAT(outcome.fault, HasSubstr("not in"));
}

namespace {
/// Copies 16 bytes a thread in two groups, waits until `pending` of them remain, and stores what shared memory has.
std::string copies(int pending, const std::string &barrier) {
  return kDeclarations + R"(
define ptx_kernel void @k(ptr addrspace(1) %in, ptr addrspace(1) %out) {
  %t = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %n = zext i32 %t to i64
  %m = add i64 %n, 64
  %s0 = getelementptr [16 x i8], ptr addrspace(3) @cnn_shared, i64 %n
  %s1 = getelementptr [16 x i8], ptr addrspace(3) @cnn_shared, i64 %m
  %i0 = getelementptr [16 x i8], ptr addrspace(1) %in, i64 %n
  %i1 = getelementptr [16 x i8], ptr addrspace(1) %in, i64 %m
  call void @llvm.nvvm.cp.async.cg.shared.global.16(ptr addrspace(3) %s0, ptr addrspace(1) %i0)
  call void @llvm.nvvm.cp.async.commit.group()
  call void @llvm.nvvm.cp.async.ca.shared.global.16.s(ptr addrspace(3) %s1, ptr addrspace(1) %i1, i32 8)
  call void @llvm.nvvm.cp.async.commit.group()
  call void @llvm.nvvm.cp.async.wait.group(i32 )" +
         std::to_string(pending) + ")\n" + barrier + R"(
  %x = xor i64 %n, 32
  %y = add i64 %x, 64
  %r0 = getelementptr [16 x i8], ptr addrspace(3) @cnn_shared, i64 %x
  %r1 = getelementptr [16 x i8], ptr addrspace(3) @cnn_shared, i64 %y
  %o0 = getelementptr [16 x i8], ptr addrspace(1) %out, i64 %x
  %o1 = getelementptr [16 x i8], ptr addrspace(1) %out, i64 %y
  %v0 = load <4 x float>, ptr addrspace(3) %r0, align 16
  %v1 = load <4 x float>, ptr addrspace(3) %r1, align 16
  store <4 x float> %v0, ptr addrspace(1) %o0, align 16
  store <4 x float> %v1, ptr addrspace(1) %o1, align 16
  ret void
})";
}
const std::string kBarrier = "  call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0)\n";

Outcome runCopies(const std::string &text, CopyTime time, std::vector<float> &output, bool checkRaces = true) {
  EmulatorOptions options;
  options.copies = time;
  options.checkRaces = checkRaces;
  EmulatedDevice device(options);
  EXPECT_EQ(device.load(text), "");
  std::vector<float> input(512);
  for (int i = 0; i < 512; ++i)
    input[i] = float(i);
  const CUdeviceptr in = device.upload(input), out = device.allocate(2048);
  const Outcome outcome = device.run("k", {{1, 1, 1}, 64, 2048}, {in, out});
  output = device.download<float>(out, 512);
  return outcome;
}
} // namespace

TEST(AsyncCopies, ArriveWhenTheyAreWaitedFor) {
  for (CopyTime time : {CopyTime::Early, CopyTime::Late, CopyTime::Mixed}) {
    std::vector<float> output;
    EXPECT_EQ(runCopies(copies(0, kBarrier), time, output).fault, "");
    for (int i = 0; i < 512; ++i)
      EXPECT_EQ(output[i], i < 256 || i % 4 < 2 ? float(i) : 0.0f) << i;
    EXPECT_THAT(runCopies(copies(1, kBarrier), time, output).fault, HasSubstr("is being copied to by thread"));
    EXPECT_THAT(runCopies(copies(0, ""), time, output).fault, HasSubstr("race in shared memory"));
  }
  std::vector<float> output;
  runCopies(copies(1, kBarrier), CopyTime::Late, output, /*checkRaces=*/false);
  EXPECT_EQ(output[255], 255.0f);
  EXPECT_TRUE(std::isnan(output[256]));
}

namespace {
struct Type {
  const char *name;
  int depth;
  int bytes;
  uint32_t (*encode)(float);
};
uint32_t encodeF16(float value) { return std::bit_cast<uint16_t>(static_cast<_Float16>(value)); }
uint32_t encodeBf16(float value) { return std::bit_cast<uint32_t>(value) >> 16; }
uint32_t encodeTf32(float value) { return std::bit_cast<uint32_t>(value); }
const Type kTypes[] = {{"f16", 16, 2, encodeF16}, {"bf16", 16, 2, encodeBf16}, {"tf32", 8, 4, encodeTf32}};

/// A kernel that multiplies fragments which lie in memory as registers, 4 words of A, 2 of B and 4 of C a lane.
std::string product(const Type &type) {
  const std::string name = type.name, element = name == "f16" ? "<2 x half>" : "i32";
  std::string body = kDeclarations + "define ptx_kernel void @k(ptr addrspace(1) %a, ptr addrspace(1) %b, "
                                     "ptr addrspace(1) %c) {\n"
                                     "  %t = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()\n"
                                     "  %n = zext i32 %t to i64\n";
  std::string call;
  auto load = [&](const char *from, int count, const std::string &type) {
    for (int i = 0; i < count; ++i) {
      const std::string id = from + std::to_string(i);
      body += "  %p" + id + " = getelementptr [" + std::to_string(count) + " x i32], ptr addrspace(1) %" + from +
              ", i64 %n, i64 " + std::to_string(i) + "\n  %v" + id + " = load " + type + ", ptr addrspace(1) %p" + id +
              ", align 4\n";
      call += (call.empty() ? "" : ", ") + type + " %v" + id;
    }
  };
  load("a", 4, element);
  load("b", 2, element);
  load("c", 4, "float");
  body += "  %d = call {float, float, float, float} @llvm.nvvm.mma.m16n8k" + std::to_string(type.depth) + ".row.col." +
          (name == "f16" ? "f32.f32" : name) + "(" + call + ")\n";
  for (int i = 0; i < 4; ++i)
    body += "  %d" + std::to_string(i) + " = extractvalue {float, float, float, float} %d, " + std::to_string(i) +
            "\n  store float %d" + std::to_string(i) + ", ptr addrspace(1) %pc" + std::to_string(i) + ", align 4\n";
  return body + "  ret void\n}\n";
}
} // namespace

TEST(Matrices, ProductsOfFragments) {
  std::mt19937 random(7);
  for (const Type &type : kTypes) {
    SCOPED_TRACE(type.name);
    // Small whole numbers and halves: exact in every type.
    auto draw = [&] { return float(int(random() % 17) - 8) / 2; };
    std::vector<float> a(16 * type.depth), b(8 * type.depth), c(128);
    for (auto *values : {&a, &b, &c})
      for (float &value : *values)
        value = draw();
    const int each = 4 / type.bytes;
    std::vector<uint32_t> registersA(128), registersB(64);
    std::vector<float> registersC(128);
    for (int lane = 0; lane < 32; ++lane) {
      const int g = lane / 4, t = lane % 4;
      for (int i = 0; i < 4; ++i) {
        const int row = g + 8 * (i % 2), first = t * each + i / 2 * 4 * each;
        for (int j = 0; j < each; ++j)
          registersA[4 * lane + i] |= type.encode(a[row * type.depth + first + j]) << 16 * j;
        registersC[4 * lane + i] = c[(g + i / 2 * 8) * 8 + 2 * t + i % 2];
      }
      for (int i = 0; i < 2; ++i)
        for (int j = 0; j < each; ++j)
          registersB[2 * lane + i] |= type.encode(b[g * type.depth + t * each + i * 4 * each + j]) << 16 * j;
    }
    EmulatedDevice device;
    ASSERT_EQ(device.load(product(type)), "");
    const CUdeviceptr da = device.upload(registersA), db = device.upload(registersB), dc = device.upload(registersC);
    ASSERT_EQ(device.run("k", {{1, 1, 1}, 32, 0}, {da, db, dc}).fault, "");
    const std::vector<float> d = device.download<float>(dc, 128);
    for (int row = 0; row < 16; ++row)
      for (int column = 0; column < 8; ++column) {
        double sum = c[row * 8 + column];
        for (int k = 0; k < type.depth; ++k)
          sum += double(a[row * type.depth + k]) * b[column * type.depth + k];
        const int lane = row % 8 * 4 + column / 2, i = row / 8 * 2 + column % 2;
        EXPECT_EQ(d[4 * lane + i], sum) << row << ", " << column;
      }
  }
}

namespace {
/// Stores words of shared memory 0, 1, ... and loads matrices whose rows are `stride` bytes apart.
std::string loadMatrices(int stride, bool transposed) {
  const std::string type = transposed ? "{i32, i32}" : "{i32, i32, i32, i32}";
  std::string body =
      R"(
  br label %fill
fill:
  %w = phi i64 [%n, %0], [%w1, %fill]
  %f = getelementptr i32, ptr addrspace(3) @cnn_shared, i64 %w
  %lo = mul i64 %w, 131074
  %lo1 = add i64 %lo, 65536
  %word = trunc i64 %lo1 to i32
  store i32 %word, ptr addrspace(3) %f, align 4
  %w1 = add i64 %w, 32
  %more = icmp ult i64 %w1, 1152
  br i1 %more, label %fill, label %done
done:
  call void @llvm.nvvm.bar.warp.sync(i32 -1)
  %at = mul i64 %n, )" +
      std::to_string(stride) + "\n  %p = getelementptr i8, ptr addrspace(3) @cnn_shared, i64 %at\n  %m = call " + type +
      " @llvm.nvvm.ldmatrix.sync.aligned.m8n8." + (transposed ? "x2.trans" : "x4") + ".b16.p3(ptr addrspace(3) %p)\n";
  for (int i = 0; i < (transposed ? 2 : 4); ++i) {
    const std::string id = std::to_string(i);
    body += "  %e" + id + " = extractvalue " + type + " %m, " + id + "\n  %q" + id +
            " = getelementptr [4 x i32], ptr addrspace(1) %out, i64 %n, i64 " + id + "\n  store i32 %e" + id +
            ", ptr addrspace(1) %q" + id + ", align 4\n";
  }
  return kernelOf(body);
}
} // namespace

TEST(Matrices, AreLoadedByRowsAndTransposed) {
  for (bool transposed : {false, true})
    for (int stride : {128, 144}) {
      EmulatorOptions options;
      options.countBankConflicts = true;
      EmulatedDevice device(options);
      ASSERT_EQ(device.load(loadMatrices(stride, transposed)), "");
      takeBankCounts();
      const CUdeviceptr out = device.allocate(512);
      ASSERT_EQ(device.run("k", {{1, 1, 1}, 32, 4608}, {out, out}).fault, "");
      const auto words = device.download<uint32_t>(out, 128);
      // Half-word h of shared memory holds h.
      for (int lane = 0; lane < 32; ++lane)
        for (int matrix = 0; matrix < (transposed ? 2 : 4); ++matrix)
          for (int i = 0; i < 2; ++i) {
            const int row = transposed ? 2 * (lane % 4) + i : lane / 4;
            const int column = transposed ? lane / 4 : 2 * (lane % 4) + i;
            const uint32_t expected = static_cast<uint32_t>((matrix * 8 + row) * stride / 2 + column);
            EXPECT_EQ(words[4 * lane + matrix] >> 16 * i & 0xffff, expected) << lane << ", " << matrix;
          }
      // Rows 128 bytes apart share their banks; 16 bytes more and they do not.
      int64_t extra = -1;
      for (const BankCount &count : takeBankCounts())
        if (count.instruction.find("ldmatrix") != std::string::npos)
          extra = count.extra;
      EXPECT_EQ(extra, stride == 144 ? 0 : transposed ? 14 : 28);
    }
  EmulatedDevice device;
  ASSERT_EQ(device.load(loadMatrices(136, false)), "");
  const CUdeviceptr out = device.allocate(512);
  EXPECT_EQ(device.run("k", {{1, 1, 1}, 32, 4608}, {out, out}).code, CUDA_ERROR_MISALIGNED_ADDRESS);
}
