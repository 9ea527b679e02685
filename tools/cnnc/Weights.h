// Values for a network's state: from a safetensors file by name, or drawn from the initializers.
#pragma once

#include "ir/CnnOps.h"
#include "ir/reference/InitialState.h"
#include "runtime/host/Safetensors.h"
#include "tools/cnnc/CommandLine.h"

#include <optional>
#include <string>

namespace cnn {

struct WeightOptions {
  std::string file;
  std::optional<uint64_t> seed;

  void declare(CommandLine &line);
};

class Weights {
public:
  /// Opens the file and checks that it has every parameter and statistic of the network in the right shape, by path, by
  /// the name that a name map gives, or by either after the network's name and a dot. With a seed instead of a file,
  /// initializers are drawn; a network without state needs neither. The module must outlive the object.
  static host::Result<Weights> open(mlir::ModuleOp network, const WeightOptions &options);

  /// The value of a state variable in double, made anew each time: large networks are streamed. A StateSource of
  /// ir/reference/Prepare.h.
  llvm::FailureOr<reference::Tensor> operator()(llvm::StringRef name, mlir::RankedTensorType type) const;

private:
  Weights() = default;

  std::optional<reference::InitialState> drawn;
  std::optional<host::SafetensorsFile> file;
  /// The file's tensor of each state variable.
  llvm::StringMap<const host::TensorView *> tensors;
};

} // namespace cnn
