// The rules of Program.h, checked where a program enters package emission: what lowering got wrong becomes a message
// here and not a crash in somebody's application.
#pragma once

#include "codegen/Program.h"

namespace cnn {

/// An error that names the first rule that `program` breaks.
llvm::Error checkProgram(const Program &program);

/// Whether `name` can be the name of a library: a C and C++ identifier that is no keyword.
bool isIdentifier(llvm::StringRef name);

} // namespace cnn
