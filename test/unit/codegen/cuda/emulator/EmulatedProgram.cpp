// See EmulatedProgram.h.
#include "test/unit/codegen/cuda/emulator/EmulatedProgram.h"

#include "ir/CnnOps.h"

namespace cnn::cuda {

static int64_t imageBytes(const TensorInfo &info) {
  int64_t bytes = host::dtypeBytes(info.dtype);
  for (int64_t extent : info.shape)
    bytes *= extent;
  return bytes;
}

Outcome runEmulated(const Program &program, size_t variant, const llvm::Module &kernels, const EmulatorOptions &options,
                    int64_t batch, const std::vector<std::vector<char>> &inputs,
                    std::vector<std::vector<char>> &memory) {
  EmulatedDevice device(options);
  if (std::string refusal = device.load(kernels); !refusal.empty())
    return {CUDA_ERROR_INVALID_PTX, refusal};
  // An address for every segment, as runtime/embedded/cnn_abi.h lays them out.
  std::vector<char> weights;
  if (program.weightsBytes) {
    llvm::Error error = program.streamWeights([&](llvm::ArrayRef<char> bytes) {
      weights.insert(weights.end(), bytes.begin(), bytes.end());
      return llvm::Error::success();
    });
    if (error)
      return {CUDA_ERROR_INVALID_VALUE, llvm::toString(std::move(error))};
  }
  const CUdeviceptr weightsAt = weights.empty() ? 0 : device.upload(weights);
  auto allocate = [&](int64_t bytes) { return bytes ? device.allocate(bytes) : 0; };
  const CUdeviceptr workspace = allocate(program.workspaceBytes * batch), fixed = allocate(program.fixedBytes);
  const CUdeviceptr state = allocate(program.stateBytes);
  std::vector<CUdeviceptr> in, out;
  for (const std::vector<char> &bytes : inputs)
    in.push_back(device.upload(bytes));
  for (const TensorInfo &info : program.outputs)
    out.push_back(device.allocate(imageBytes(info) * (info.batched ? batch : 1)));

  for (const Step &step : program.steps) {
    const KernelUse &use = step.kernels[variant];
    std::vector<uint64_t> addresses, strides;
    for (const Operand &operand : step.operands) {
      uint64_t begin = operand.slice;
      int64_t stride = operand.imageStride;
      switch (operand.segment) {
      case Segment::Weights:
        begin += weightsAt + operand.offset;
        break;
      case Segment::Workspace:
        begin += workspace + operand.offset * batch;
        break;
      case Segment::Fixed:
        begin += fixed + operand.offset;
        break;
      case Segment::State:
        begin += state + operand.offset;
        break;
      case Segment::Input:
      case Segment::Output: {
        const bool isInput = operand.segment == Segment::Input;
        begin += isInput ? in[operand.offset] : out[operand.offset];
        if (stride)
          stride = imageBytes(isInput ? program.inputs[operand.offset] : program.outputs[operand.offset]);
        break;
      }
      }
      addresses.push_back(begin);
      strides.push_back(stride);
    }
    const int64_t units = use.fixedUnits + batch * use.unitsPerImage;
    std::vector<uint64_t> parameters = std::move(addresses);
    parameters.insert(parameters.end(), strides.begin(), strides.end());
    parameters.push_back(batch);
    parameters.push_back(units);
    EmulatedDevice::Shape shape;
    shape.grid[0] = static_cast<unsigned>(llvm::divideCeil(units, use.device.unitsPerBlock));
    shape.grid[1] = static_cast<unsigned>(use.device.gridY);
    shape.grid[2] = static_cast<unsigned>(use.device.gridZ);
    shape.block = static_cast<unsigned>(use.device.blockThreads);
    shape.sharedBytes = static_cast<unsigned>(use.device.sharedBytes);
    if (Outcome outcome = device.run(use.symbol, shape, std::move(parameters)); outcome.code != CUDA_SUCCESS)
      return outcome;
  }
  memory.clear();
  for (size_t i = 0; i < out.size(); ++i) {
    const TensorInfo &info = program.outputs[i];
    memory.push_back(device.download<char>(out[i], imageBytes(info) * (info.batched ? batch : 1)));
  }
  memory.push_back(device.download<char>(workspace, program.workspaceBytes * batch));
  memory.push_back(device.download<char>(fixed, program.fixedBytes));
  return {};
}

} // namespace cnn::cuda
