// See DeviceProgram.h.
#include "test/unit/codegen/cuda/library/DeviceProgram.h"

#include "llvm/AsmParser/Parser.h"
#include "llvm/Support/SourceMgr.h"

#include <fmt/format.h>

using namespace cnn;
using namespace cnn::tiny;

static constexpr int64_t kUnitsPerBlock = 4, kPlaneBytes = kElements * 4;

// Operands: input, output, weights, and for the last step of twoOutputs: bias, sums. Threads beyond the last unit do
// nothing.
static std::string kernelText(const Options &options, int step) {
  const bool last = options.twoOutputs && step == options.steps - 1;
  std::string text = fmt::format(R"(
define ptx_kernel void @step{0}(ptr %in, ptr %out, ptr %weights, {3}i64 %in.stride, i64 %out.stride, i64 %weights.stride, {4}i64 %batch, i64 %units) #0 {{
entry:
  %block = call i32 @llvm.nvvm.read.ptx.sreg.ctaid.x()
  %thread = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %first = mul i32 %block, {5}
  %unit32 = add i32 %first, %thread
  %unit = sext i32 %unit32 to i64
  %any = icmp slt i64 %unit, %units
  br i1 %any, label %work, label %done
work:
  %weight.at = getelementptr float, ptr %weights, i64 {0}
  %weight = load float, ptr %weight.at
  %image = sdiv i64 %unit, {1}
  %plane = srem i64 %unit, {1}
  %plane.bytes = mul i64 %plane, {2}
  %in.image = mul i64 %image, %in.stride
  %in.bytes = add i64 %in.image, %plane.bytes
  %in.plane = getelementptr i8, ptr %in, i64 %in.bytes
  %out.image = mul i64 %image, %out.stride
  %out.bytes = add i64 %out.image, %plane.bytes
  %out.plane = getelementptr i8, ptr %out, i64 %out.bytes
)",
                                 step, kPlanes, kPlaneBytes, last ? "ptr %bias, ptr %sums, " : "",
                                 last ? "i64 %bias.stride, i64 %sums.stride, " : "", kUnitsPerBlock);
  if (last)
    text += R"(
  %bias.image = mul i64 %image, %bias.stride
  %bias.row = getelementptr i8, ptr %bias, i64 %bias.image
  %bias.plane = getelementptr float, ptr %bias.row, i64 %plane
  %shift = load float, ptr %bias.plane
  %sums.image = mul i64 %image, %sums.stride
  %sums.row = getelementptr i8, ptr %sums, i64 %sums.image
  %sums.plane = getelementptr float, ptr %sums.row, i64 %plane
)";
  text += R"(
  br label %element
element:
  %e = phi i64 [ 0, %work ], [ %e.next, %element ]
  %total = phi float [ 0.0, %work ], [ %total.next, %element ]
  %x.at = getelementptr float, ptr %in.plane, i64 %e
  %x = load float, ptr %x.at
  %v0 = fmul float %x, %weight
)";
  for (int add = 0; add < options.adds; ++add)
    text += fmt::format("  %v{} = fadd float %v{}, {:.1f}\n", add + 1, add, (step + 1) / 2.0);
  text += fmt::format(R"(
  %result = fadd float %v{}, {}
  %y.at = getelementptr float, ptr %out.plane, i64 %e
  store float %result, ptr %y.at
  %total.next = fadd float %total, %result
  %e.next = add i64 %e, 1
  %more = icmp slt i64 %e.next, {}
  br i1 %more, label %element, label %unit.end
unit.end:
  {}
  br label %done
done:
  ret void
}}
)",
                      options.adds, last ? "%shift" : "0.0", kElements,
                      last ? "store float %total.next, ptr %sums.plane" : "");
  return text;
}

static Variant makeVariant(const Options &options, const std::string &architecture) {
  std::string text = R"(
target datalayout = "e-p6:32:32-i64:64-i128:128-i256:256-v16:16-v32:32-n16:32:64"
target triple = "nvptx64-nvidia-cuda"
declare i32 @llvm.nvvm.read.ptx.sreg.ctaid.x()
declare i32 @llvm.nvvm.read.ptx.sreg.tid.x()
)";
  for (int step = 0; step < options.steps; ++step)
    text += kernelText(options, step);
  text += fmt::format("\nattributes #0 = {{ nounwind \"target-cpu\"=\"{}\" }}\n", architecture);
  Variant variant;
  variant.name = variant.targetCpu = architecture;
  variant.context = std::make_unique<llvm::LLVMContext>();
  llvm::SMDiagnostic problem;
  variant.module = llvm::parseAssemblyString(text, problem, *variant.context);
  if (!variant.module)
    problem.print("DeviceProgram", llvm::errs());
  return variant;
}

Program cnn::tiny::makeDeviceProgram(const Options &options, const std::string &target) {
  Options forCpu = options;
  forCpu.isas = {"sse"};
  Program program = makeProgram(forCpu);
  program.target = target;
  program.variants.clear();
  for (const std::string &architecture : options.isas)
    program.variants.push_back(makeVariant(options, architecture));
  for (Step &step : program.steps) {
    KernelUse use = step.kernels.front();
    use.device = {kUnitsPerBlock, 1, 1, kUnitsPerBlock, 0};
    step.kernels.assign(options.isas.size(), use);
  }
  return program;
}
