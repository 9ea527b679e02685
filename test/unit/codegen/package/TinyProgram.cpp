// See TinyProgram.h.
#include "test/unit/codegen/package/TinyProgram.h"

#include "codegen/cpu/Isa.h"
#include "ir/CnnOps.h"

#include "llvm/AsmParser/Parser.h"
#include "llvm/Support/SourceMgr.h"

#include <cstring>
#include <fmt/format.h>

using namespace cnn;
using namespace cnn::tiny;

static constexpr int64_t kPlaneBytes = kElements * 4, kImageBytes = kImage * 4, kStoredImage = 192;

static float weight(const Options &options, int step) { return options.firstWeight + static_cast<float>(step); }

// buffers: input, output, weights, and for the last step of twoOutputs: bias, sums.
static std::string kernelText(const Options &options, int step) {
  const bool last = options.twoOutputs && step == options.steps - 1;
  std::string text = fmt::format(R"(
define void @step{0}(ptr %buffers, ptr %strides, i64 %batch, i64 %begin, i64 %end, ptr %scratch) #0 {{
entry:
  %in = load ptr, ptr %buffers
  %out.at = getelementptr ptr, ptr %buffers, i64 1
  %out = load ptr, ptr %out.at
  %weights.at = getelementptr ptr, ptr %buffers, i64 2
  %weights = load ptr, ptr %weights.at
  %weight.at = getelementptr float, ptr %weights, i64 {0}
  %weight = load float, ptr %weight.at
  %in.stride = load i64, ptr %strides
  %out.stride.at = getelementptr i64, ptr %strides, i64 1
  %out.stride = load i64, ptr %out.stride.at
  %any = icmp slt i64 %begin, %end
  br i1 %any, label %unit, label %done
unit:
  %u = phi i64 [ %begin, %entry ], [ %u.next, %unit.end ]
  %image = sdiv i64 %u, {1}
  %plane = srem i64 %u, {1}
  %plane.bytes = mul i64 %plane, {2}
  %in.image = mul i64 %image, %in.stride
  %in.bytes = add i64 %in.image, %plane.bytes
  %in.plane = getelementptr i8, ptr %in, i64 %in.bytes
  %out.image = mul i64 %image, %out.stride
  %out.bytes = add i64 %out.image, %plane.bytes
  %out.plane = getelementptr i8, ptr %out, i64 %out.bytes
)",
                                 step, kPlanes, kPlaneBytes);
  if (last)
    text += R"(
  %bias.at = getelementptr ptr, ptr %buffers, i64 3
  %bias = load ptr, ptr %bias.at
  %bias.stride.at = getelementptr i64, ptr %strides, i64 3
  %bias.stride = load i64, ptr %bias.stride.at
  %bias.image = mul i64 %image, %bias.stride
  %bias.row = getelementptr i8, ptr %bias, i64 %bias.image
  %bias.plane = getelementptr float, ptr %bias.row, i64 %plane
  %shift = load float, ptr %bias.plane
  %sums.at = getelementptr ptr, ptr %buffers, i64 4
  %sums = load ptr, ptr %sums.at
  %sums.stride.at = getelementptr i64, ptr %strides, i64 4
  %sums.stride = load i64, ptr %sums.stride.at
  %sums.image = mul i64 %image, %sums.stride
  %sums.row = getelementptr i8, ptr %sums, i64 %sums.image
  %sums.plane = getelementptr float, ptr %sums.row, i64 %plane
)";
  text += R"(
  br label %element
element:
  %e = phi i64 [ 0, %unit ], [ %e.next, %element ]
  %total = phi float [ 0.0, %unit ], [ %total.next, %element ]
  %x.at = getelementptr float, ptr %in.plane, i64 %e
  %x = load float, ptr %x.at
  %v0 = fmul float %x, %weight
)";
  for (int add = 0; add < options.adds; ++add)
    text += fmt::format("  %v{} = fadd float %v{}, {:.1f}\n", add + 1, add, (step + 1) / 2.0);
  text += fmt::format("  %result = fadd float %v{}, {}\n", options.adds, last ? "%shift" : "0.0");
  text += fmt::format(R"(
  store volatile float %result, ptr %scratch
  %kept = load volatile float, ptr %scratch
  %y.at = getelementptr float, ptr %out.plane, i64 %e
  store float %kept, ptr %y.at
  %total.next = fadd float %total, %kept
  %e.next = add i64 %e, 1
  %more = icmp slt i64 %e.next, {}
  br i1 %more, label %element, label %unit.end
unit.end:
  {}
  %u.next = add i64 %u, 1
  %again = icmp slt i64 %u.next, %end
  br i1 %again, label %unit, label %done
done:
  ret void
}}
)",
                      kElements, last ? "store float %total.next, ptr %sums.plane" : "");
  return text;
}

static Variant makeVariant(const Options &options, const std::string &isa) {
  std::optional<cpu::Isa> parsed = cpu::parseIsa(isa);
  Variant variant;
  variant.name = isa;
  variant.targetCpu = parsed ? cpu::isaInfo(*parsed).targetCpu.str() : "x86-64-v9";
  variant.context = std::make_unique<llvm::LLVMContext>();
  std::string text;
  for (int step = 0; step < options.steps; ++step)
    text += kernelText(options, step);
  text += fmt::format("\nattributes #0 = {{ nounwind uwtable \"target-cpu\"=\"{}\" }}\n", variant.targetCpu);
  llvm::SMDiagnostic problem;
  variant.module = llvm::parseAssemblyString(text, problem, *variant.context);
  if (!variant.module)
    problem.print("TinyProgram", llvm::errs());
  return variant;
}

Program cnn::tiny::makeProgram(const Options &options) {
  Program program;
  program.name = options.name;
  program.inputs = {{"x", host::DType::F32, {kPlanes, kElements}, true, ""}};
  program.outputs = {{"y", host::DType::F32, {kPlanes, kElements}, true, ""}};
  if (options.twoOutputs) {
    program.inputs.push_back({"bias", host::DType::F32, {kPlanes}, true, ""});
    program.outputs.push_back({"sums", host::DType::F32, {kPlanes}, true, ""});
  }
  program.scratchBytes = 4;
  program.workspaceBytes = 2 * kStoredImage;
  program.weightsBytes = (options.steps * 4 + 63) / 64 * 64 + options.extraWeightBytes;
  program.packed = {{"weights", 0, options.steps * 4}};
  program.streamWeights = [options, bytes = program.weightsBytes](WeightSink sink) {
    std::vector<char> all(bytes);
    for (int step = 0; step < options.steps; ++step) {
      float value = weight(options, step);
      std::memcpy(&all[step * 4], &value, 4);
    }
    // In two pieces, the first of an odd size.
    if (llvm::Error error = sink(llvm::ArrayRef(all).take_front(5)))
      return error;
    return sink(llvm::ArrayRef(all).drop_front(5));
  };
  for (int step = 0; step < options.steps; ++step) {
    auto between = [&](int index) { return Operand{Segment::Workspace, index % 2 * kStoredImage, 0, kStoredImage}; };
    Step made;
    made.group = step;
    made.operands = {step == 0 ? Operand{Segment::Input, 0, 0, kImageBytes} : between(step - 1),
                     step == options.steps - 1 ? Operand{Segment::Output, 0, 0, kImageBytes} : between(step),
                     {Segment::Weights, 0, 0, 0}};
    if (options.twoOutputs && step == options.steps - 1) {
      made.operands.push_back({Segment::Input, 1, 0, kPlanes * 4});
      made.operands.push_back({Segment::Output, 1, 0, kPlanes * 4});
    }
    made.kernels.assign(options.isas.size(), {"step" + std::to_string(step), kPlanes, 0, 1, {}});
    // Said to be more than it is, so that threads take part.
    program.groups.push_back({"layer" + std::to_string(step),
                              "elementwise",
                              "direct",
                              int64_t(1) << 20,
                              kImageBytes * 2,
                              {made.operands[0]},
                              {made.operands[1]}});
    program.steps.push_back(std::move(made));
  }
  for (const std::string &isa : options.isas)
    program.variants.push_back(makeVariant(options, isa));
  return program;
}

Result cnn::tiny::expected(const Options &options, int64_t batch, const float *x, const float *bias) {
  Result result;
  result.y.assign(x, x + batch * kImage);
  for (int step = 0; step < options.steps; ++step)
    for (float &value : result.y) {
      value = value * weight(options, step);
      for (int add = 0; add < options.adds; ++add)
        value = value + static_cast<float>(step + 1) / 2;
    }
  if (!options.twoOutputs)
    return result;
  for (int64_t row = 0; row < batch * kPlanes; ++row) {
    float sum = 0;
    for (int64_t e = 0; e < kElements; ++e)
      sum += result.y[row * kElements + e] += bias[row];
    result.sums.push_back(sum);
  }
  return result;
}

std::vector<float> cnn::tiny::numbers(int64_t count, int seed) {
  std::vector<float> values(count);
  for (int64_t i = 0; i < count; ++i)
    values[i] = static_cast<float>((i * 37 + seed * 11) % 101) / 8 - 5;
  return values;
}
