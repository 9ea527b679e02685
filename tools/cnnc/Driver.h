// What the subcommands share: finding a network and its weights, and saying what is wrong.
#pragma once

#include "ir/CnnOps.h"
#include "tools/cnnc/CommandLine.h"

#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/OwningOpRef.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace cnn {

/// Prints `error: message` and returns 1, the exit code of wrong input.
int fail(const llvm::Twine &message);

/// Whether messages may be coloured: a terminal, and NO_COLOR is not set.
bool useColour();

/// Loads every dialect of the compiler, and prints diagnostics of passes as the frontend prints its own.
void prepareContext(mlir::MLIRContext &context);

/// Which network, in which shape, with which outputs.
struct NetworkOptions {
  std::string net;
  std::vector<std::string> shapes, outputs, taps;

  void declare(CommandLine &line);
};

/// `FILE` or `FILE:NAME`, the name being empty where there is none. The last ':' stands before it, unless the whole is
/// a file.
std::pair<std::string, std::string> splitNet(llvm::StringRef net);

/// Loads and elaborates the network into `context`, which gets every dialect of the compiler. Null after a message on
/// stderr.
mlir::OwningOpRef<mlir::ModuleOp> loadNetwork(mlir::MLIRContext &context, const NetworkOptions &options);

/// The same, where NET may also name a train block: FILE:BLOCK is its step, FILE:BLOCK.evaluate and FILE:BLOCK.augment
/// its evaluation and the augmentation of its inputs. In a file without networks BLOCK may be left out.
mlir::OwningOpRef<mlir::ModuleOp> loadNetworkOrBlock(mlir::MLIRContext &context, const NetworkOptions &options);

/// The function that a network (@infer) or a part of a train block (@step) has, as elaborated.
mlir::func::FuncOp mainFunction(mlir::ModuleOp module);

/// The network's name in the source.
std::string networkName(mlir::ModuleOp network);

/// Makes the value of the layer at `path` an output of that name. Returns what is wrong, or an empty string.
std::string addTap(mlir::ModuleOp network, llvm::StringRef path);

} // namespace cnn
