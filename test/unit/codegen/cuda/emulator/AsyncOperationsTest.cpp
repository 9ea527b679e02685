// Phases (mbarrier), copies of boxes of tensors and products of warpgroups on the emulated device, right and with one
// mistake each.
#include "codegen/cuda/emulator/Emulator.h"
#include "test/unit/codegen/cuda/emulator/EmulatedDevice.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <numeric>

using namespace cnn::cuda;
using ::testing::HasSubstr;

namespace {

const std::string kDeclarations = R"(
declare i32 @llvm.nvvm.read.ptx.sreg.tid.x()
declare void @llvm.nvvm.barrier.cta.sync.aligned.all(i32)
declare void @llvm.nvvm.mbarrier.init.shared(ptr addrspace(3), i32)
declare i64 @llvm.nvvm.mbarrier.arrive.shared(ptr addrspace(3))
declare i64 @llvm.nvvm.mbarrier.arrive.expect.tx.scope.cta.space.cta(ptr addrspace(3), i32)
declare i1 @llvm.nvvm.mbarrier.try.wait.parity.scope.cta.space.cta(ptr addrspace(3), i32)
declare void @llvm.nvvm.cp.async.bulk.tensor.g2s.tile.2d(ptr addrspace(7), ptr addrspace(3), ptr, i32, i32, i16, i64, i1, i1, i32)
declare void @llvm.nvvm.wgmma.fence.sync.aligned()
declare void @llvm.nvvm.wgmma.commit_group.sync.aligned()
declare void @llvm.nvvm.wgmma.wait_group.sync.aligned(i64)
declare void @llvm.nvvm.fence.proxy.async.shared_cta()
@cnn_shared = external addrspace(3) global [0 x i8], align 1024
)";

EmulatorOptions optionsOf(ThreadOrder order, CopyTime copies) {
  EmulatorOptions options;
  options.order = order;
  options.copies = copies;
  return options;
}
const EmulatorOptions kOptions[] = {optionsOf(ThreadOrder::Forward, CopyTime::Early),
                                    optionsOf(ThreadOrder::Reverse, CopyTime::Late),
                                    optionsOf(ThreadOrder::Shuffled, CopyTime::Mixed)};

/// The text with the first `from` replaced, which has to be there.
std::string changed(std::string text, const std::string &from, const std::string &to) {
  const size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return at == std::string::npos ? text : text.replace(at, from.size(), to);
}

/// A row-major matrix of f32 in memory and the box of it that is copied at once.
struct Matrix {
  uint64_t rows, columns;
  uint32_t boxRows, boxColumns;
  int swizzle;
};

CUdeviceptr upload(EmulatedDevice &device, const Matrix &matrix, CUdeviceptr address) {
  auto *encode = reinterpret_cast<cnn_cuda_encode_tiled>(emulatedDriverEntry("cuTensorMapEncodeTiled"));
  const uint64_t extents[] = {matrix.columns, matrix.rows}, strides[] = {matrix.columns * 4};
  const uint32_t box[] = {matrix.boxColumns, matrix.boxRows}, ones[] = {1, 1};
  CUtensorMap map;
  EXPECT_EQ(encode(&map, CU_TENSOR_MAP_DATA_TYPE_FLOAT32, 2, reinterpret_cast<void *>(address), extents, strides, box,
                   ones, CU_TENSOR_MAP_INTERLEAVE_NONE, matrix.swizzle, 0, CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE),
            CUDA_SUCCESS);
  return device.upload(std::vector<uint64_t>(map.opaque, map.opaque + 16));
}

/// Copies a box of 16 rows of 8 columns, which begins at row 2 and column 4 of 12 by 12, and stores it as it lies.
const std::string kCopy = kDeclarations + R"(
define ptx_kernel void @k(ptr %map, ptr addrspace(1) %out) {
  %t = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %n = zext i32 %t to i64
  %box = getelementptr i8, ptr addrspace(3) @cnn_shared, i64 1024
  %first = icmp eq i32 %t, 0
  br i1 %first, label %init, label %together
init:
  call void @llvm.nvvm.mbarrier.init.shared(ptr addrspace(3) @cnn_shared, i32 1)
  call void @llvm.nvvm.fence.proxy.async.shared_cta()
  br label %together
together:
  call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0)
  br i1 %first, label %copy, label %wait
copy:
  %a = call i64 @llvm.nvvm.mbarrier.arrive.expect.tx.scope.cta.space.cta(ptr addrspace(3) @cnn_shared, i32 512)
  %to = addrspacecast ptr addrspace(3) %box to ptr addrspace(7)
  call void @llvm.nvvm.cp.async.bulk.tensor.g2s.tile.2d(ptr addrspace(7) %to, ptr addrspace(3) @cnn_shared, ptr %map, i32 4, i32 2, i16 0, i64 0, i1 0, i1 0, i32 0)
  br label %wait
wait:
  %w = call i1 @llvm.nvvm.mbarrier.try.wait.parity.scope.cta.space.cta(ptr addrspace(3) @cnn_shared, i32 0)
  br i1 %w, label %done, label %wait
done:
  %from = getelementptr float, ptr addrspace(3) %box, i64 %n
  %v = load float, ptr addrspace(3) %from, align 4
  %o = getelementptr float, ptr addrspace(1) %out, i64 %n
  store float %v, ptr addrspace(1) %o, align 4
  ret void
}
)";

Outcome runCopy(const std::string &text, const EmulatorOptions &options, int swizzle, std::vector<float> &output) {
  EmulatedDevice device(options);
  EXPECT_EQ(device.load(text), "");
  std::vector<float> values(12 * 12);
  std::iota(values.begin(), values.end(), 1.0f);
  const CUdeviceptr map = upload(device, {12, 12, 16, 8, swizzle}, device.upload(values)), out = device.allocate(512);
  const Outcome outcome = device.run("k", {{1, 1, 1}, 128, 2048}, {map, out});
  output = device.download<float>(out, 128);
  return outcome;
}

TEST(TensorCopies, FillWithZerosOutsideAndSwizzle) {
  for (int swizzle : {CU_TENSOR_MAP_SWIZZLE_NONE, CU_TENSOR_MAP_SWIZZLE_32B})
    for (const EmulatorOptions &options : kOptions) {
      std::vector<float> output;
      const Outcome outcome = runCopy(kCopy, options, swizzle, output);
      ASSERT_EQ(outcome.code, CUDA_SUCCESS) << outcome.fault;
      for (int row = 0; row < 16; ++row)
        for (int column = 0; column < 8; ++column) {
          // Rows of 32 bytes: their halves change places where the fourth 128 bytes, of four rows each, are odd.
          const int at = row * 8 + (swizzle ? column ^ (row / 4 % 2 * 4) : column);
          EXPECT_EQ(output[at], row < 10 ? float((row + 2) * 12 + column + 4 + 1) : 0.0f) << row << " " << column;
        }
    }
}

TEST(TensorCopies, MistakesAreFound) {
  std::vector<float> output;
  for (const EmulatorOptions &options : kOptions) {
    auto faultOf = [&](const std::string &from, const std::string &to) {
      return runCopy(changed(kCopy, from, to), options, CU_TENSOR_MAP_SWIZZLE_NONE, output).fault;
    };
    EXPECT_THAT(faultOf("@cnn_shared, i32 0)\n  br i1 %w", "@cnn_shared, i32 1)\n  br i1 %w"),
                HasSubstr("race in shared memory"))
        << "the parity of the phase before";
    EXPECT_THAT(faultOf("i32 512)", "i32 516)"), HasSubstr("which lacks 0 arrivals and 4 bytes"));
    EXPECT_THAT(faultOf("@cnn_shared, i32 1)", "@cnn_shared, i32 2)"), HasSubstr("which lacks 1 arrivals and 0 bytes"));
    EXPECT_THAT(faultOf("  call void @llvm.nvvm.fence.proxy.async.shared_cta()\n", ""),
                HasSubstr("there is no fence after the mbarrier's init"));
    EXPECT_THAT(faultOf("  call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0)\n", ""), HasSubstr("mbarrier"));
    EXPECT_THAT(faultOf("i64 1024", "i64 1040"), HasSubstr("is not a multiple of 128"));
    EXPECT_THAT(faultOf("i64 1024", "i64 1664"), HasSubstr("512 bytes at 1664 of 2048 bytes of shared memory"));
  }
}

TEST(TensorCopies, ABlockThatEndsTooEarly) {
  const std::string text = changed(kCopy, "  br i1 %first, label %copy, label %wait\n",
                                   "  br i1 %first, label %copy, label %end\nend:\n  ret void\n");
  const std::string noWait = changed(text, "  br label %wait\nwait:", "  ret void\nwait:");
  std::vector<float> output;
  EXPECT_THAT(runCopy(noWait, kOptions[1], CU_TENSOR_MAP_SWIZZLE_NONE, output).fault,
              HasSubstr("the block ends while the copy is under way"));
}

/// Four rows of 32 numbers go through two stages: thread 0 copies a row when the 32 threads of the other warp have read
/// what was in its stage, and these add up what comes. Barriers of phases: of full stages at 0 and 8, of empty ones at
/// 16 and 24.
const std::string kPipeline = kDeclarations + R"(
define ptx_kernel void @k(ptr %map, ptr addrspace(1) %out) {
  %t = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %lane = and i32 %t, 31
  %n = zext i32 %lane to i64
  %first = icmp eq i32 %t, 0
  br i1 %first, label %init, label %together
init:
  %f1 = getelementptr i8, ptr addrspace(3) @cnn_shared, i64 8
  %e0 = getelementptr i8, ptr addrspace(3) @cnn_shared, i64 16
  %e1 = getelementptr i8, ptr addrspace(3) @cnn_shared, i64 24
  call void @llvm.nvvm.mbarrier.init.shared(ptr addrspace(3) @cnn_shared, i32 1)
  call void @llvm.nvvm.mbarrier.init.shared(ptr addrspace(3) %f1, i32 1)
  call void @llvm.nvvm.mbarrier.init.shared(ptr addrspace(3) %e0, i32 32)
  call void @llvm.nvvm.mbarrier.init.shared(ptr addrspace(3) %e1, i32 32)
  call void @llvm.nvvm.fence.proxy.async.shared_cta()
  br label %together
together:
  call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0)
  %isWarp0 = icmp ult i32 %t, 32
  br i1 %isWarp0, label %warp0, label %loop
warp0:
  br i1 %first, label %loop, label %end
loop:
  %i = phi i32 [0, %together], [0, %warp0], [%next, %step]
  %sum = phi float [0.0, %together], [0.0, %warp0], [%sumNext, %step]
  %stage = and i32 %i, 1
  %round = lshr i32 %i, 1
  %parity = and i32 %round, 1
  %stage64 = zext i32 %stage to i64
  %full = getelementptr i64, ptr addrspace(3) @cnn_shared, i64 %stage64
  %empty = getelementptr i64, ptr addrspace(3) %full, i64 2
  %row = getelementptr [32 x float], ptr addrspace(3) @cnn_shared, i64 %stage64
  %box = getelementptr i8, ptr addrspace(3) %row, i64 1024
  br i1 %first, label %produce, label %consume
produce:
  %before = xor i32 %parity, 1
  %p = call i1 @llvm.nvvm.mbarrier.try.wait.parity.scope.cta.space.cta(ptr addrspace(3) %empty, i32 %before)
  %a = call i64 @llvm.nvvm.mbarrier.arrive.expect.tx.scope.cta.space.cta(ptr addrspace(3) %full, i32 128)
  %to = addrspacecast ptr addrspace(3) %box to ptr addrspace(7)
  call void @llvm.nvvm.cp.async.bulk.tensor.g2s.tile.2d(ptr addrspace(7) %to, ptr addrspace(3) %full, ptr %map, i32 0, i32 %i, i16 0, i64 0, i1 0, i1 0, i32 0)
  br label %step
consume:
  %c = call i1 @llvm.nvvm.mbarrier.try.wait.parity.scope.cta.space.cta(ptr addrspace(3) %full, i32 %parity)
  %from = getelementptr float, ptr addrspace(3) %box, i64 %n
  %v = load float, ptr addrspace(3) %from, align 4
  %more = fadd float %sum, %v
  %r = call i64 @llvm.nvvm.mbarrier.arrive.shared(ptr addrspace(3) %empty)
  br label %step
step:
  %sumNext = phi float [%sum, %produce], [%more, %consume]
  %next = add i32 %i, 1
  %again = icmp ult i32 %next, 4
  br i1 %again, label %loop, label %done
done:
  br i1 %first, label %end, label %store
store:
  %o = getelementptr float, ptr addrspace(1) %out, i64 %n
  store float %sumNext, ptr addrspace(1) %o, align 4
  br label %end
end:
  ret void
}
)";

Outcome runPipeline(const std::string &text, const EmulatorOptions &options, std::vector<float> &output) {
  EmulatedDevice device(options);
  EXPECT_EQ(device.load(text), "");
  std::vector<float> values(4 * 32);
  std::iota(values.begin(), values.end(), 1.0f);
  const CUdeviceptr map = upload(device, {4, 32, 1, 32, CU_TENSOR_MAP_SWIZZLE_NONE}, device.upload(values)),
                    out = device.allocate(128);
  const Outcome outcome = device.run("k", {{1, 1, 1}, 64, 2048}, {map, out});
  output = device.download<float>(out, 32);
  return outcome;
}

TEST(TensorCopies, GoThroughStagesThatAreFilledAgain) {
  for (const EmulatorOptions &options : kOptions) {
    std::vector<float> output;
    const Outcome outcome = runPipeline(kPipeline, options, output);
    ASSERT_EQ(outcome.code, CUDA_SUCCESS) << outcome.fault;
    for (int i = 0; i < 32; ++i)
      EXPECT_EQ(output[i], float(4 * (i + 1) + 32 * (1 + 2 + 3)));
    auto faultOf = [&](const std::string &from, const std::string &to) {
      return runPipeline(changed(kPipeline, from, to), options, output).fault;
    };
    const std::string waitEmpty = "  %p = call i1 "
                                  "@llvm.nvvm.mbarrier.try.wait.parity.scope.cta.space.cta(ptr addrspace(3) %empty, "
                                  "i32 %before)\n";
    EXPECT_NE(faultOf(waitEmpty, ""), "") << "stages are filled too early";
    EXPECT_THAT(faultOf("%before = xor i32 %parity, 1", "%before = xor i32 %parity, 0"),
                HasSubstr("waits for a phase of the mbarrier at"));
    EXPECT_NE(faultOf("%parity = and i32 %round, 1", "%parity = and i32 %round, 0"), "") << "the first phase's parity";
    EXPECT_THAT(faultOf("  %r = call i64 @llvm.nvvm.mbarrier.arrive.shared(ptr addrspace(3) %empty)\n", ""),
                HasSubstr("which lacks 32 arrivals and 0 bytes"));
    EXPECT_NE(faultOf("ptr addrspace(3) %e0, i32 32)", "ptr addrspace(3) %e0, i32 31)"), "") << "a reader too few";
  }
}

TEST(TensorMaps, RefuseWhatTheDriverRefuses) {
  auto *encode = reinterpret_cast<cnn_cuda_encode_tiled>(emulatedDriverEntry("cuTensorMapEncodeTiled"));
  struct Case {
    uint64_t address = 256, stride = 512;
    uint32_t boxColumns = 32, boxRows = 64, elementStride = 1;
    int type = CU_TENSOR_MAP_DATA_TYPE_FLOAT32, swizzle = CU_TENSOR_MAP_SWIZZLE_128B;
  };
  auto codeOf = [&](const Case &made) {
    const uint64_t extents[] = {100, 100}, strides[] = {made.stride};
    const uint32_t box[] = {made.boxColumns, made.boxRows}, steps[] = {made.elementStride, 1};
    CUtensorMap map;
    return encode(&map, made.type, 2, reinterpret_cast<void *>(made.address), extents, strides, box, steps, 0,
                  made.swizzle, 0, 0);
  };
  EXPECT_EQ(codeOf({}), CUDA_SUCCESS);
  EXPECT_EQ(codeOf({.address = 264}), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(codeOf({.stride = 404}), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(codeOf({.boxColumns = 36}), CUDA_ERROR_INVALID_VALUE) << "longer than a swizzled row";
  EXPECT_EQ(codeOf({.boxColumns = 31}), CUDA_ERROR_INVALID_VALUE) << "no multiple of 16 bytes";
  EXPECT_EQ(codeOf({.boxRows = 257}), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(codeOf({.elementStride = 2}), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(codeOf({.type = 12345}), CUDA_ERROR_INVALID_VALUE);
}

//===-- Products
//---------------------------------------------------------------------------------------------------===//

/// The product of a descriptor at %da and one at %db with sums %NAME0 to %NAME3.
std::string product(const std::string &kind, const std::string &result, const std::string &sums,
                    const std::string &offset) {
  const bool isHalf = kind != "k8.f32.tf32.tf32";
  std::string arguments;
  for (int i = 0; i < 4; ++i)
    arguments += "float " + (sums.empty() ? "0.0" : "%" + sums + std::to_string(i)) + ", ";
  std::string text = "  %" + result + "a = add i64 %da, " + offset + "\n  %" + result + "b = add i64 %db, " + offset +
                     "\n  %" + result +
                     " = call {float, float, float, float} asm sideeffect "
                     "\"{\\0A.reg .pred p;\\0Asetp.ne.b32 p, $10, 0;\\0Awgmma.mma_async.sync.aligned.m64n8" +
                     kind + " {$0, $1, $2, $3}, $8, $9, p, $11,  $12" + (isHalf ? ", $13,  $14" : "") +
                     ";\\0A}\\0A\", \"=f,=f,=f,=f,0,1,2,3,l,l,n,n,n" + (isHalf ? ",n,n" : "") + "\"(" + arguments +
                     "i64 %" + result + "a, i64 %" + result + "b, i32 1, i32 1, i32 1" +
                     (isHalf ? ", i32 0, i32 0" : "") + ")\n";
  for (int i = 0; i < 4; ++i)
    text += "  %" + result + std::to_string(i) + " = extractvalue {float, float, float, float} %" + result + ", " +
            std::to_string(i) + "\n";
  return text;
}

/// Stores a thread's four sums to a matrix of 64 by 8.
const std::string kStoreSums = R"(
  %lane = and i64 %n, 31
  %warp = lshr i64 %n, 5
  %g = lshr i64 %lane, 2
  %q = and i64 %lane, 3
  %r = mul i64 %warp, 16
  %row = add i64 %r, %g
  %rw = mul i64 %row, 8
  %c = mul i64 %q, 2
  %at = add i64 %rw, %c
  %at8 = add i64 %at, 64
  %o0 = getelementptr float, ptr addrspace(1) %out, i64 %at
  %o1 = getelementptr float, ptr addrspace(1) %o0, i64 1
  %o2 = getelementptr float, ptr addrspace(1) %out, i64 %at8
  %o3 = getelementptr float, ptr addrspace(1) %o2, i64 1
  store float %y0, ptr addrspace(1) %o0, align 4
  store float %y1, ptr addrspace(1) %o1, align 4
  store float %y2, ptr addrspace(1) %o2, align 4
  store float %y3, ptr addrspace(1) %o3, align 4
)";
const std::string kFinish = "  call void @llvm.nvvm.wgmma.commit_group.sync.aligned()\n"
                            "  call void @llvm.nvvm.wgmma.wait_group.sync.aligned(i64 0)\n";

/// 64 by 32 times 32 by 8 in tf32: both come by copies of boxes with rows of 128 swizzled bytes, to 1024 and 9216.
std::string productOfCopies() {
  return kDeclarations + R"(
define ptx_kernel void @k(ptr %amap, ptr %bmap, ptr addrspace(1) %out) {
  %t = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %n = zext i32 %t to i64
  %abox = getelementptr i8, ptr addrspace(3) @cnn_shared, i64 1024
  %bbox = getelementptr i8, ptr addrspace(3) @cnn_shared, i64 9216
  %first = icmp eq i32 %t, 0
  br i1 %first, label %init, label %together
init:
  call void @llvm.nvvm.mbarrier.init.shared(ptr addrspace(3) @cnn_shared, i32 1)
  call void @llvm.nvvm.fence.proxy.async.shared_cta()
  br label %together
together:
  call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0)
  br i1 %first, label %copy, label %wait
copy:
  %a = call i64 @llvm.nvvm.mbarrier.arrive.expect.tx.scope.cta.space.cta(ptr addrspace(3) @cnn_shared, i32 9216)
  %toa = addrspacecast ptr addrspace(3) %abox to ptr addrspace(7)
  %tob = addrspacecast ptr addrspace(3) %bbox to ptr addrspace(7)
  call void @llvm.nvvm.cp.async.bulk.tensor.g2s.tile.2d(ptr addrspace(7) %toa, ptr addrspace(3) @cnn_shared, ptr %amap, i32 0, i32 0, i16 0, i64 0, i1 0, i1 0, i32 0)
  call void @llvm.nvvm.cp.async.bulk.tensor.g2s.tile.2d(ptr addrspace(7) %tob, ptr addrspace(3) @cnn_shared, ptr %bmap, i32 0, i32 0, i16 0, i64 0, i1 0, i1 0, i32 0)
  br label %wait
wait:
  %w = call i1 @llvm.nvvm.mbarrier.try.wait.parity.scope.cta.space.cta(ptr addrspace(3) @cnn_shared, i32 0)
  br i1 %w, label %ready, label %wait
ready:
  %abits = ptrtoint ptr addrspace(3) %abox to i64
  %alow = and i64 %abits, 262143
  %a16 = lshr i64 %alow, 4
  %da = or i64 %a16, 4611686293305360384
  %bbits = ptrtoint ptr addrspace(3) %bbox to i64
  %blow = and i64 %bbits, 262143
  %b16 = lshr i64 %blow, 4
  %db = or i64 %b16, 4611686293305360384
  call void @llvm.nvvm.wgmma.fence.sync.aligned()
)" + product("k8.f32.tf32.tf32", "u", "", "0") +
         product("k8.f32.tf32.tf32", "v", "u", "2") + product("k8.f32.tf32.tf32", "x", "v", "4") +
         product("k8.f32.tf32.tf32", "y", "x", "6") + kFinish + kStoreSums + "  ret void\n}\n";
}

std::vector<float> productOf(const std::vector<float> &a, const std::vector<float> &b, int depth) {
  std::vector<float> sums(64 * 8);
  for (int row = 0; row < 64; ++row)
    for (int column = 0; column < 8; ++column)
      for (int k = 0; k < depth; ++k)
        sums[row * 8 + column] += a[row * depth + k] * b[column * depth + k];
  return sums;
}
std::vector<float> smallNumbers(size_t count, int step) {
  std::vector<float> values(count);
  for (size_t i = 0; i < count; ++i)
    values[i] = static_cast<float>(static_cast<int>(i * step % 31) - 15);
  return values;
}

Outcome runProductOfCopies(const std::string &text, const EmulatorOptions &options, std::vector<float> &output) {
  EmulatedDevice device(options);
  EXPECT_EQ(device.load(text), "");
  const CUdeviceptr a = device.upload(smallNumbers(64 * 32, 7)), b = device.upload(smallNumbers(8 * 32, 11));
  const CUdeviceptr aMap = upload(device, {64, 32, 64, 32, CU_TENSOR_MAP_SWIZZLE_128B}, a),
                    bMap = upload(device, {8, 32, 8, 32, CU_TENSOR_MAP_SWIZZLE_128B}, b);
  const CUdeviceptr out = device.allocate(64 * 8 * 4);
  const Outcome outcome = device.run("k", {{1, 1, 1}, 128, 10240}, {aMap, bMap, out});
  output = device.download<float>(out, 64 * 8);
  return outcome;
}

TEST(WarpgroupProducts, OfCopiesWithSwizzledRows) {
  const std::vector<float> right = productOf(smallNumbers(64 * 32, 7), smallNumbers(8 * 32, 11), 32);
  for (const EmulatorOptions &options : kOptions) {
    std::vector<float> output;
    const Outcome outcome = runProductOfCopies(productOfCopies(), options, output);
    ASSERT_EQ(outcome.code, CUDA_SUCCESS) << outcome.fault;
    EXPECT_EQ(output, right);
  }
}

TEST(WarpgroupProducts, MistakesAreFound) {
  std::vector<float> output;
  for (const EmulatorOptions &options : kOptions) {
    auto faultOf = [&](const std::string &from, const std::string &to) {
      return runProductOfCopies(changed(productOfCopies(), from, to), options, output).fault;
    };
    EXPECT_THAT(faultOf("  call void @llvm.nvvm.wgmma.fence.sync.aligned()\n", ""), HasSubstr("no wgmma.fence"));
    EXPECT_THAT(faultOf("wait_group.sync.aligned(i64 0)\n", "wait_group.sync.aligned(i64 1)\n"),
                HasSubstr("no wgmma.wait_group has waited for it"));
    EXPECT_THAT(faultOf("  call void @llvm.nvvm.wgmma.commit_group.sync.aligned()\n", ""),
                HasSubstr("no wgmma.wait_group has waited for it"));
    // What a product reads while threads do not wait for it must not change.
    EXPECT_THAT(faultOf("  call void @llvm.nvvm.wgmma.commit_group",
                        "  %z = getelementptr float, ptr addrspace(3) %abox, i64 %n\n"
                        "  store float 0.0, ptr addrspace(3) %z, align 4\n"
                        "  call void @llvm.nvvm.wgmma.commit_group"),
                HasSubstr("is read by a product under way"));
    EXPECT_NE(faultOf("@cnn_shared, i32 0)\n  br i1 %w", "@cnn_shared, i32 1)\n  br i1 %w"), "")
        << "the parity of another phase";
    // Another pattern of swizzling.
    EXPECT_EQ(faultOf("%da = or i64 %a16, 4611686293305360384", "%da = or i64 %a16, 9223372311732748288"), "");
    EXPECT_NE(output, productOf(smallNumbers(64 * 32, 7), smallNumbers(8 * 32, 11), 32));
  }
}

/// 64 by 16 times 16 by 8 in f16 or bf16: threads write a row each, in matrices of 8 rows of 16 bytes (not swizzled).
std::string productOfRows(const std::string &type) {
  return kDeclarations + R"(
define ptx_kernel void @k(ptr addrspace(1) %in, ptr addrspace(1) %out) {
  %t = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %n = zext i32 %t to i64
  %some = icmp ult i32 %t, 72
  br i1 %some, label %write, label %ready
write:
  %in0 = getelementptr <4 x i32>, ptr addrspace(1) %in, i64 %n
  %in1 = getelementptr <4 x i32>, ptr addrspace(1) %in0, i64 %n
  %in2 = getelementptr <4 x i32>, ptr addrspace(1) %in1, i64 1
  %low = load <4 x i32>, ptr addrspace(1) %in1, align 16
  %high = load <4 x i32>, ptr addrspace(1) %in2, align 16
  %eight = lshr i64 %n, 3
  %m = mul i64 %eight, 256
  %in8 = and i64 %n, 7
  %p = mul i64 %in8, 16
  %place = add i64 %m, %p
  %place2 = add i64 %place, 128
  %s0 = getelementptr i8, ptr addrspace(3) @cnn_shared, i64 %place
  %s1 = getelementptr i8, ptr addrspace(3) @cnn_shared, i64 %place2
  store <4 x i32> %low, ptr addrspace(3) %s0, align 16
  store <4 x i32> %high, ptr addrspace(3) %s1, align 16
  call void @llvm.nvvm.fence.proxy.async.shared_cta()
  br label %ready
ready:
  call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0)
  %abits = ptrtoint ptr addrspace(3) @cnn_shared to i64
  %alow = and i64 %abits, 262143
  %a16 = lshr i64 %alow, 4
  %da = or i64 %a16, 68720001024
  %db = add i64 %da, 128
  call void @llvm.nvvm.wgmma.fence.sync.aligned()
)" + product("k16.f32." + type + "." + type, "y", "", "0") +
         kFinish + kStoreSums + "  ret void\n}\n";
}

Outcome runProductOfRows(const std::string &text, const std::string &type, const EmulatorOptions &options,
                         std::vector<float> &output) {
  EmulatedDevice device(options);
  EXPECT_EQ(device.load(text), "");
  std::vector<uint16_t> halves;
  for (const auto &values : {smallNumbers(64 * 16, 7), smallNumbers(8 * 16, 11)})
    for (float value : values) {
      const auto half = static_cast<_Float16>(value);
      uint16_t bits = 0;
      uint32_t word = 0;
      memcpy(&bits, &half, 2);
      memcpy(&word, &value, 4);
      halves.push_back(type == "f16" ? bits : static_cast<uint16_t>(word >> 16));
    }
  const CUdeviceptr in = device.upload(halves), out = device.allocate(64 * 8 * 4);
  const Outcome outcome = device.run("k", {{1, 1, 1}, 128, 4096}, {in, out});
  output = device.download<float>(out, 64 * 8);
  return outcome;
}

TEST(WarpgroupProducts, OfHalvesThatThreadsWrote) {
  const std::vector<float> right = productOf(smallNumbers(64 * 16, 7), smallNumbers(8 * 16, 11), 16);
  for (const std::string type : {"f16", "bf16"})
    for (const EmulatorOptions &options : kOptions) {
      std::vector<float> output;
      Outcome outcome = runProductOfRows(productOfRows(type), type, options, output);
      ASSERT_EQ(outcome.code, CUDA_SUCCESS) << outcome.fault;
      EXPECT_EQ(output, right) << type;
      const std::string fence = "  call void @llvm.nvvm.fence.proxy.async.shared_cta()\n";
      outcome = runProductOfRows(changed(productOfRows(type), fence, ""), type, options, output);
      EXPECT_THAT(outcome.fault, HasSubstr("with no fence.proxy.async after it"));
      const std::string barrier = "  call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0)\n";
      outcome = runProductOfRows(changed(productOfRows(type), barrier, ""), type, options, output);
      EXPECT_NE(outcome.fault, "");
      // Not the whole warpgroup comes.
      outcome = runProductOfRows(
          changed(
              productOfRows(type), "ready:\n",
              "ready:\n  %late = icmp ult i32 %t, 96\n  br i1 %late, label %go, label %end\nend:\n  ret void\ngo:\n"),
          type, options, output);
      EXPECT_NE(outcome.fault, "");
    }
}

} // namespace
