// Which steps of a program are run together, a few images at a time, so that what they hand on stays in the cache and
// threads wait for each other once.
#pragma once

#include "codegen/Program.h"

namespace cnn::cpu {

/// What a step needs to know of its group.
struct ChainLink {
  int64_t sharedBytes = 0; ///< Read for any number of images, weights above all.
  int64_t grain = 1;       ///< Images that its kernels take at once.
};

/// Sets `chain` and `chainImages` of the steps; `links` has one for each. Steps are chained that follow one another, go
/// by images and read little that all images share, if any two of their operands in the workspace either lie in
/// the same places for each image or share no byte: then no image overwrites what another one still needs.
void chainSteps(Program &program, llvm::ArrayRef<ChainLink> links);

} // namespace cnn::cpu
