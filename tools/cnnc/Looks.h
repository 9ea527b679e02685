// Pictures of what a network learned: its kernels, and what its layers make of an image. A folder with a PNG for each.
#pragma once

#include "runtime/host/Tensor.h"
#include "tools/cnnc/Ports.h"
#include "tools/cnnc/Weights.h"

#include <string>
#include <vector>

namespace cnn {

/// Makes every layer whose values are images of more than one pixel an output, and returns the paths of these layers,
/// in order.
std::vector<std::string> tapFeatureMaps(mlir::ModuleOp network);

/// Writes FOLDER/PATH.png for each of the paths: the channels of the first image.
host::Result<void> writeFeatureMaps(const std::string &folder, llvm::ArrayRef<std::string> paths,
                                    llvm::ArrayRef<Port> ports, llvm::ArrayRef<host::Tensor> outputs);

/// Writes FOLDER/PATH.png for each parameter of four dimensions with kernels of more than one pixel; returns how many.
/// An error where there are none.
host::Result<size_t> writeFilters(const std::string &folder, mlir::ModuleOp network, const Weights &weights);

} // namespace cnn
