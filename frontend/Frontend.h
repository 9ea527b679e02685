// The frontend's interface: a file of the language goes in, a checked module of the `cnn` dialect comes out. Whatever
// is wrong with the text is collected as diagnostics; nothing is guessed, nothing is printed here.
#pragma once

#include "frontend/Diagnostics.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/OwningOpRef.h"

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace cnn {

/// Which network to elaborate, and how.
struct NetworkRequest {
  /// The source file.
  std::string path;
  /// The network's name; may be empty where the file has one network.
  std::string network;
  /// Shapes that replace those of the signature, by input: all dimensions, or all but the batch. The batch stays
  /// symbolic.
  std::vector<std::pair<std::string, std::vector<int64_t>>> shapes;
};

/// Parses the file and what it imports, and elaborates the network: state declarations and `func.func @infer`, in a
/// module named like the network. Null when `diagnostics` has errors. The context needs the `cnn` and `func` dialects;
/// they are loaded here.
///
/// An input with preprocessing has the argument attribute `cnn.preprocess`, an array with a dictionary for each step,
/// in order:
///
///   {op = "resize", size = 256 : i64, side = "shorter" | "longer", filter = "bilinear", antialias = true}
///   {op = "resize", size = [h, w], filter = "bilinear" | "bicubic" | "nearest", antialias = true | false}
///   {op = "crop", size = [h, w], at = "centre" | "top_left"}
///   {op = "channels", order = "rgb" | "bgr" | "grey"}
///   {op = "scale", factor = x}   {op = "subtract", value = x}   {op = "divide", value = x}
///   {op = "normalize", mean = x, std = x}
///
/// where x is a number (f64) or an array of numbers, one for each channel.
mlir::OwningOpRef<mlir::ModuleOp> loadNetwork(mlir::MLIRContext &context, const NetworkRequest &request,
                                              Diagnostics &diagnostics);

/// The same for a text in memory, which `request.path` names in diagnostics and which imports files beside that path.
mlir::OwningOpRef<mlir::ModuleOp> loadNetworkFromText(mlir::MLIRContext &context, std::string text,
                                                      const NetworkRequest &request, Diagnostics &diagnostics);

} // namespace cnn
