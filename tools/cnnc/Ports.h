// A network's named inputs and outputs, and how files become the one and the other become files.
#pragma once

#include "ir/CnnOps.h"
#include "ir/reference/Tensor.h"
#include "runtime/host/Tensor.h"
#include "runtime/host/data/Dataset.h"

#include <string>
#include <vector>

namespace cnn {

struct Port {
  std::string name;
  /// Dimension 0 is the batch when it is dynamic.
  mlir::RankedTensorType type;
  /// What a picture goes through before it is this input, or null.
  mlir::ArrayAttr preprocess;
  /// Without such steps: what 8-bit pictures become for floats.
  host::PixelScale pixels = host::PixelScale::Raw;
};

/// In the order of the function's arguments and results; state is left out.
std::vector<Port> inputsOf(mlir::func::FuncOp function);
std::vector<Port> outputsOf(mlir::func::FuncOp function);

/// "f32[N, 3, 224, 224]", as the language writes it.
std::string typeText(mlir::RankedTensorType type);

/// The element type in host memory; nothing for types that files don't have.
std::optional<host::DType> dtypeOf(mlir::Type elementType);

/// The tensor rounded once to the element type, in row-major order.
host::Tensor toHost(mlir::Type elementType, const reference::Tensor &tensor);

/// `NAME=FILE` or `FILE` for the only port. Returns the index of the port and the file.
host::Result<std::pair<size_t, std::string>> matchPort(llvm::StringRef argument, llvm::ArrayRef<Port> ports,
                                                       llvm::StringRef kind);

/// A file of `--output` and the indices of the ports that go to it, several as one sheet of pictures.
struct OutputFile {
  std::vector<size_t> ports;
  std::string path;
};

/// `NAME=FILE`; `FILE` for the only output; or `FILE.png` for all outputs that are pictures, where there are several
/// outputs.
host::Result<OutputFile> matchOutput(llvm::StringRef argument, llvm::ArrayRef<Port> outputs);

/// Reads the files of `--input`, `[NAME=]FILE` each, into one tensor an input. Several files of an input follow each
/// other along the batch, which must be the same for all inputs. A `.npy` file holds the input itself, with or without
/// the batch dimension, and is converted to its element type; anything else is a picture and goes through the declared
/// preprocessing. Inputs without a file are an error, or, where `samples` is above 0, so many of randomInputs().
host::Result<std::vector<host::Tensor>> readInputs(llvm::ArrayRef<std::string> arguments, llvm::ArrayRef<Port> inputs,
                                                   int64_t samples = 0, uint64_t seed = 0);

/// Tensors for a batch: normal numbers, or random bytes, drawn by Philox from the input's name.
std::vector<host::Tensor> randomInputs(llvm::ArrayRef<Port> inputs, int64_t batch, uint64_t seed);

/// Writes outputs, `tensors` in the order of `ports`: one to `.npy` as it is, or any number to `.png` as a picture
/// (several as a sheet with captions), each stretched from its smallest to its largest value.
host::Result<void> writeOutputs(const OutputFile &file, llvm::ArrayRef<Port> ports,
                                llvm::ArrayRef<host::Tensor> tensors);

} // namespace cnn
