// What `summary` tells about a network: its layers as elaborated, with shapes, parameters, arithmetic and receptive
// fields.
#pragma once

#include "ir/CnnOps.h"

#include <array>
#include <optional>
#include <string>
#include <vector>

namespace cnn {

/// An operation with a path, broadcasts excepted: they are part of the operation that reads them.
struct Layer {
  std::string path;
  /// The operation's name without the dialect: "conv2d".
  std::string op;
  /// Dimension 0 may be dynamic: the batch.
  std::vector<int64_t> shape;
  /// Parameters that this layer is the first to use; statistics are not parameters.
  int64_t parameters = 0;
  /// Of one image, by the direct method.
  int64_t multiplyAdds = 0;
  /// Rows and columns of the input picture that a value depends on, borders included; nothing where no input is a
  /// picture.
  std::optional<std::array<int64_t, 2>> receptiveField;
};

struct NetworkSummary {
  std::vector<Layer> layers;
  int64_t parameters = 0;
  int64_t multiplyAdds = 0;
};

/// Summarizes the `@infer` function of an elaborated network.
NetworkSummary summarize(mlir::ModuleOp network);

} // namespace cnn
