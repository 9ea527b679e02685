// From networks to programs of device kernels: what steps say of launches and kernels of their operands, and what
// cannot be lowered.
#include "codegen/cuda/Lower.h"
#include "codegen/cuda/CudaDialect.h"
#include "codegen/cuda/CudaTargetModel.h"
#include "codegen/cuda/ToPtx.h"
#include "passes/Pipeline.h"

#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/OwningOpRef.h"
#include "mlir/Parser/Parser.h"
#include "llvm/IR/Instructions.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

using namespace mlir;
using namespace cnn;
using ::testing::HasSubstr;

namespace {

class CudaLower : public ::testing::Test {
protected:
  MLIRContext context{MLIRContext::Threading::DISABLED};
  OwningOpRef<ModuleOp> module;
  std::string diagnostics;
  ScopedDiagnosticHandler handler{&context, [&](Diagnostic &diagnostic) {
                                    diagnostics += diagnostic.str() + "\n";
                                    return success();
                                  }};

  bool parse(const std::string &functions) {
    cuda::registerCudaTarget();
    context.loadDialect<CnnDialect, cuda::CudaDialect, func::FuncDialect>();
    module = parseSourceString<ModuleOp>("module @network {\n" + functions + "}\n", &context);
    return static_cast<bool>(module);
  }

  /// @infer through the pipeline.
  bool plan(const std::string &signature, const std::string &body) {
    if (!parse("func.func @infer" + signature + " {\n" + body + "}\n"))
      return false;
    PipelineOptions pipeline;
    pipeline.target = findTargetModel("cuda");
    pipeline.isas = {"sm_80"};
    return succeeded(runPipeline(*module, pipeline));
  }

  GroupOp group(StringRef path) {
    GroupOp found;
    module->walk([&](GroupOp group) {
      if (group.getPath() == path)
        found = group;
    });
    return found;
  }

  FailureOr<Program> lower(std::vector<std::string> architectures = {}) {
    cuda::LowerOptions options;
    options.architectures = std::move(architectures);
    return cuda::lowerToProgram(*module, options);
  }
};

const char kImages[] = "(%x: tensor<?x32x8x8xf32> {cnn.input = \"x\"}) -> (tensor<?x32x8x8xf32> {cnn.output = \"y\"})";
const char kTanh[] = "%0 = cnn.tanh %x {path = \"a\"} : tensor<?x32x8x8xf32> -> tensor<?x32x8x8xf32>\n"
                     "return %0 : tensor<?x32x8x8xf32>\n";

TEST_F(CudaLower, StepsSayHowKernelsAreLaunched) {
  ASSERT_TRUE(plan(kImages, kTanh)) << diagnostics;
  FailureOr<Program> program = lower();
  ASSERT_TRUE(succeeded(program)) << diagnostics;
  EXPECT_EQ("cuda", program->target);
  ASSERT_EQ(1u, program->steps.size());
  const KernelUse &use = program->steps[0].kernels[0];
  // Four elements a thread.
  EXPECT_EQ(32 * 8 * 8 / 4, use.unitsPerImage);
  EXPECT_EQ(0, use.fixedUnits);
  EXPECT_EQ(256, use.device.blockThreads);
  EXPECT_EQ(256, use.device.unitsPerBlock);
  const llvm::Function *kernel = program->variants[0].module->getFunction(use.symbol);
  ASSERT_TRUE(kernel);
  EXPECT_EQ(6u, kernel->arg_size()) << "two addresses, two strides, the batch and the units";
  EXPECT_EQ(llvm::CallingConv::PTX_Kernel, kernel->getCallingConv());
}

// An element-wise result goes over its operand, so that the kernel must not be told that they lie apart.
TEST_F(CudaLower, OnlyWhatLiesApartIsSaidToNotAlias) {
  ASSERT_TRUE(plan("(%x: tensor<?x32x8x8xf32> {cnn.input = \"x\"}) -> (tensor<?x32x10x10xf32> {cnn.output = \"y\"})",
                   "%p = cnn.pad %x {low = array<i64: 0, 0, 1, 1>, high = array<i64: 0, 0, 1, 1>, path = \"p\"} "
                   ": tensor<?x32x8x8xf32> -> tensor<?x32x10x10xf32>\n"
                   "%t = cnn.tanh %p {path = \"t\"} : tensor<?x32x10x10xf32> -> tensor<?x32x10x10xf32>\n"
                   "%q = cnn.max_pool %t {kernel = array<i64: 3, 3>, strides = array<i64: 1, 1>, padding = array<i64: "
                   "1, 1, 1, 1>, path = \"q\"} "
                   ": tensor<?x32x10x10xf32> -> tensor<?x32x10x10xf32>\n"
                   "return %q : tensor<?x32x10x10xf32>\n"))
      << diagnostics;
  FailureOr<Program> program = lower();
  ASSERT_TRUE(succeeded(program)) << diagnostics;
  int inPlace = 0, apart = 0;
  for (const Step &step : program->steps) {
    const llvm::Function *kernel = program->variants[0].module->getFunction(step.kernels[0].symbol);
    ASSERT_TRUE(kernel);
    const Operand &from = step.operands[0], &to = step.operands[1];
    bool overlaps = from.segment == to.segment && from.offset == to.offset;
    (overlaps ? inPlace : apart) += 1;
    EXPECT_EQ(!overlaps, kernel->getArg(0)->hasNoAliasAttr()) << step.kernels[0].symbol;
    EXPECT_EQ(!overlaps, kernel->getArg(0)->onlyReadsMemory()) << step.kernels[0].symbol;
    EXPECT_EQ(!overlaps, kernel->getArg(1)->hasNoAliasAttr()) << step.kernels[0].symbol;
  }
  EXPECT_GT(inPlace, 0);
  EXPECT_GT(apart, 0);
}

/// A planned module whose only group reduces images in twenty ways, by blocks of so many threads.
std::string sums(int threads) {
  std::string body, values, types, outputs, places, results;
  for (int i = 0; i < 20; ++i) {
    std::string n = std::to_string(i), comma = i ? ", " : "";
    body += "%r" + n + " = cnn.reduce %a {kind = #cnn.reduce_kind<sum>, dims = array<i64: 2, 3>, path = \"r" + n +
            "\"} : tensor<?x32x8x8xf32> -> tensor<?x32xf32>\n";
    values += comma + "%r" + n;
    types += comma + "tensor<?x32xf32>";
    outputs += comma + "tensor<?x32xf32> {cnn.output = \"y" + n + "\"}";
    places += comma + "#cnn.placement<segment = output, offset = " + n + ", imageStride = 128>";
    results += comma + "%g#" + n;
  }
  return "func.func @run(%x: tensor<?x32x8x8xf32> {cnn.input = \"x\"}) -> (" + outputs +
         ") attributes {cnn.fixed_bytes = 0 : i64, cnn.workspace_bytes = 0 : i64} {\n"
         "%g:20 = cnn.group \"g\" kind \"reduce\" (%a = %x : tensor<?x32x8x8xf32>) -> (" +
         types + ") attributes {placements = [" + places +
         "], schedules = {sm_75 = #cuda.schedule<algorithm = reduce, threads = " + std::to_string(threads) + ">}} {\n" +
         body + "cnn.yield " + values + " : " + types + "\n}\nreturn " + results + " : " + types + "\n}\n";
}

TEST_F(CudaLower, MoreSharedMemoryThanThereIs) {
  ASSERT_TRUE(parse(sums(256))) << diagnostics;
  FailureOr<Program> program = lower();
  ASSERT_TRUE(succeeded(program)) << diagnostics;
  EXPECT_EQ(20 * 256 * 4, program->steps[0].kernels[0].device.sharedBytes);
  ASSERT_TRUE(parse(sums(1024))) << diagnostics;
  EXPECT_TRUE(failed(lower()));
  EXPECT_THAT(diagnostics, HasSubstr("a block needs 81920 bytes of shared memory, sm_75 has 65536"));
}

/// A planned module whose only group is a product over the batch in `precision`, scheduled by hand for one
/// architecture.
std::string product(const std::string &architecture, const std::string &precision) {
  return "func.func @run(%x: tensor<?x64xf32> {cnn.input = \"x\"}) -> (tensor<64x64xf32> {cnn.output = \"y\"}) "
         "attributes {cnn.fixed_bytes = 0 : i64, cnn.workspace_bytes = 0 : i64} {\n"
         "%g = cnn.group \"g\" kind \"matmul\" (%a = %x : tensor<?x64xf32>) -> tensor<64x64xf32> attributes {"
         "placements = [#cnn.placement<segment = output, offset = 0, imageStride = 0>], schedules = {" +
         architecture +
         " = #cuda.schedule<algorithm = matmul, threads = 128, rows = 64, columns = 64, depth = 32, stages = 3, "
         "warpgroups = true>}} {\n"
         "%r = cnn.matmul %a, %a {transpose_lhs = true, transpose_rhs = false, precision = #cnn.precision<" +
         precision +
         ">, path = \"r\"} : tensor<?x64xf32>, tensor<?x64xf32> -> tensor<64x64xf32>\n"
         "cnn.yield %r : tensor<64x64xf32>\n}\nreturn %g : tensor<64x64xf32>\n}\n";
}

TEST_F(CudaLower, ProductsOfWarpgroupsByTheAttribute) {
  ASSERT_TRUE(parse(product("sm_90a", "tf32"))) << diagnostics;
  FailureOr<Program> program = lower();
  ASSERT_TRUE(succeeded(program)) << diagnostics;
  auto ptx = cuda::toPtx(*program->variants[0].module, *cuda::findArchitecture("sm_90a"));
  ASSERT_TRUE(bool(ptx)) << llvm::toString(ptx.takeError());
  EXPECT_THAT(*ptx, HasSubstr("wgmma.mma_async.sync.aligned.m64n64k8.f32.tf32.tf32"));
  ASSERT_TRUE(parse(product("sm_90a", "f32"))) << diagnostics;
  EXPECT_TRUE(failed(lower()));
  EXPECT_THAT(diagnostics, HasSubstr("wgmma multiplies in tf32, f16 or bf16, not in f32"));
  ASSERT_TRUE(parse(product("sm_100", "tf32"))) << diagnostics;
  EXPECT_TRUE(failed(lower()));
  EXPECT_THAT(diagnostics, HasSubstr("there is no wgmma on sm_100"));
}

TEST_F(CudaLower, ArchitecturesWithoutSchedules) {
  ASSERT_TRUE(plan(kImages, kTanh)) << diagnostics;
  EXPECT_TRUE(failed(lower({"sm_90a"})));
  EXPECT_THAT(diagnostics, HasSubstr("has no schedule for sm_90a"));
}

TEST_F(CudaLower, SchedulesThatDoNotFit) {
  ASSERT_TRUE(plan(kImages, kTanh)) << diagnostics;
  auto schedule = cuda::ScheduleAttr::get(&context, cuda::Algorithm::Softmax, 256);
  EXPECT_TRUE(failed(schedule.verifyFor(group("a"))));
  EXPECT_THAT(diagnostics, HasSubstr("cuda_schedule_c2: the algorithm 'softmax' does not fit: the group does more"));
  EXPECT_FALSE(cuda::ScheduleAttr::getChecked([&] { return module->emitError(); }, &context, cuda::Algorithm::Chain,
                                              int64_t(48)));
  EXPECT_THAT(diagnostics, HasSubstr("cuda_schedule_c1: 'threads' must be a multiple of 32 up to 1024"));
}

// A call of what no one defines would fail on the user's machine only.
TEST_F(CudaLower, PtxCallsNothing) {
  ASSERT_TRUE(plan(kImages, kTanh)) << diagnostics;
  FailureOr<Program> program = lower();
  ASSERT_TRUE(succeeded(program)) << diagnostics;
  llvm::Module &kernels = *program->variants[0].module;
  auto ptx = cuda::toPtx(kernels, *cuda::findArchitecture("sm_80"));
  ASSERT_TRUE(bool(ptx)) << llvm::toString(ptx.takeError());
  EXPECT_THAT(*ptx, HasSubstr(".target sm_80"));
  llvm::Function *kernel = kernels.getFunction(program->steps[0].kernels[0].symbol);
  auto callee = kernels.getOrInsertFunction("__nv_tanhf", llvm::Type::getVoidTy(kernels.getContext()));
  llvm::CallInst::Create(callee, "", kernel->getEntryBlock().getFirstInsertionPt());
  auto refused = cuda::toPtx(kernels, *cuda::findArchitecture("sm_80"));
  ASSERT_FALSE(bool(refused));
  EXPECT_THAT(llvm::toString(refused.takeError()), HasSubstr("calls '__nv_tanhf', which is not defined"));
}

} // namespace
