// See NetworkKernels.h.
#include "test/unit/codegen/cuda/emulator/NetworkKernels.h"

#include "codegen/cuda/CudaTargetModel.h"
#include "codegen/cuda/Lower.h"
#include "codegen/cuda/MatrixKernels.h"
#include "frontend/Frontend.h"
#include "passes/Pipeline.h"

#include "llvm/Bitcode/BitcodeReader.h"
#include "llvm/Bitcode/BitcodeWriter.h"

#include <gtest/gtest.h>

#include <cstring>
#include <random>

namespace cnn::cuda {

NetworkKernels::NetworkKernels(const std::string &signature, const std::string &body, const Options &options)
    : batch_(options.batch) {
  const std::string text = "network net(" + signature + " {\n" + body + "\n}\n";
  registerCudaTarget();
  const TargetModel *target = findTargetModel("cuda");
  Diagnostics diagnostics;
  module_ = loadNetworkFromText(context_, text, {"test.cnn", "", {}}, diagnostics);
  std::string problems;
  llvm::raw_string_ostream stream(problems);
  diagnostics.render(stream, /*colour=*/false);
  EXPECT_TRUE(module_) << text << problems;
  if (!module_)
    return;
  module_->walk([&](mlir::Operation *op) {
    if (op->hasAttr("precision"))
      op->setAttr("precision", PrecisionAttr::get(&context_, options.precision));
  });
  mlir::DialectRegistry registry;
  target->registerDialects(registry);
  context_.appendDialectRegistry(registry);
  context_.loadAllAvailableDialects();
  PipelineOptions pipeline;
  pipeline.target = target;
  const llvm::StringRef architecture = options.warpgroups ? "sm_90a" : "sm_80";
  pipeline.isas = {architecture.str()};
  EXPECT_TRUE(succeeded(runPipeline(*module_, pipeline)));
  if (options.warpgroups)
    module_->walk([&](GroupOp group) {
      const auto schedule = llvm::cast<ScheduleAttr>(group.getSchedules()->get(architecture));
      if (!hasTile(schedule.getAlgorithm()))
        return;
      const MatmulTile tile = {64, 64, MatmulTile::kWarpgroupDepth, 3, /*ofWarpgroups=*/true};
      const auto other = scheduleOf(&context_, schedule.getAlgorithm(), tile, schedule.getSlices());
      group.setSchedulesAttr(
          mlir::DictionaryAttr::get(&context_, {{mlir::StringAttr::get(&context_, architecture), other}}));
    });
  LowerOptions lower;
  lower.name = "net";
  lower.state = [](llvm::StringRef name, mlir::RankedTensorType type) -> llvm::FailureOr<reference::Tensor> {
    reference::Tensor value(type.getShape());
    std::mt19937 random(static_cast<unsigned>(name.size()));
    for (double &element : value.values)
      element = std::normal_distribution<float>()(random);
    return value;
  };
  llvm::FailureOr<Program> program = lowerToProgram(*module_, lower);
  EXPECT_TRUE(succeeded(program));
  if (failed(program))
    return;
  program_ = std::move(*program);
  llvm::raw_svector_ostream bytes(bitcode_);
  llvm::WriteBitcodeToFile(*program_.variants[0].module, bytes);
  std::mt19937 random(5);
  for (const TensorInfo &info : program_.inputs) {
    int64_t count = info.batched ? batch_ : 1;
    for (int64_t extent : info.shape)
      count *= extent;
    std::vector<char> &input = inputs_.emplace_back(count * 4);
    for (int64_t i = 0; i < count; ++i) {
      const auto value = static_cast<float>(options.spread * std::normal_distribution<double>()(random));
      std::memcpy(&input[i * 4], &value, 4);
    }
  }
}

bool NetworkKernels::hasManyBlocks(llvm::StringRef kernel) const {
  for (const Step &step : program_.steps) {
    const KernelUse &use = step.kernels[0];
    if (use.symbol == kernel && use.fixedUnits + batch_ * use.unitsPerImage > use.device.unitsPerBlock)
      return true;
  }
  return false;
}

std::unique_ptr<llvm::Module> NetworkKernels::kernels(llvm::LLVMContext &context) const {
  return llvm::cantFail(
      llvm::parseBitcodeFile({llvm::StringRef(bitcode_.data(), bitcode_.size()), "kernels"}, context));
}

Outcome NetworkKernels::run(const llvm::Module &kernels, const EmulatorOptions &options,
                            std::vector<std::vector<char>> &memory) const {
  return runEmulated(program_, 0, kernels, options, batch_, inputs_, memory);
}

} // namespace cnn::cuda
