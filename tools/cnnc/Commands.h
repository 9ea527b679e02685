// The subcommands of cnnc: each parses its own arguments (without its name) and returns the program's exit code: 0
// done, 1 the input is wrong or a comparison failed, 2 the command line is wrong.
#pragma once

#include "llvm/ADT/ArrayRef.h"

#include <string>

namespace cnn {

int summaryCommand(llvm::ArrayRef<std::string> arguments);
int runCommand(llvm::ArrayRef<std::string> arguments);
int buildCommand(llvm::ArrayRef<std::string> arguments);
int benchCommand(llvm::ArrayRef<std::string> arguments);
int verifyCommand(llvm::ArrayRef<std::string> arguments);
int trainCommand(llvm::ArrayRef<std::string> arguments);
int evalCommand(llvm::ArrayRef<std::string> arguments);
int predictCommand(llvm::ArrayRef<std::string> arguments);
int emitCommand(llvm::ArrayRef<std::string> arguments);
int explainCommand(llvm::ArrayRef<std::string> arguments);

} // namespace cnn
