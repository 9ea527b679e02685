// Mistakes that the writers of kernels make, made on purpose: each changes one place of a module of kernels. What
// proves kernels right has to notice every one.
#pragma once

#include "llvm/IR/Module.h"

#include <optional>
#include <string>

namespace cnn::cuda {

enum class Mistake {
  NoBarrier,        ///< A barrier of the block is gone.
  DivergentBarrier, ///< Half of the threads' warps pass it by.
  WaitTooShort,     ///< A group of copies less is waited for.
  NoCommit,         ///< Copies join the next group.
  NoCopy,           ///< An asynchronous copy is gone.
  CopyPastTheEdge,  ///< An asynchronous copy reads all of its bytes where it should fill with zeros.
  SwappedFragment,  ///< Two registers of a product's first factor are exchanged.
  WrongAccumulator, ///< Two sums that a product begins with are exchanged.
  TransposedMatrix, ///< ldmatrix transposes where it did not.
  MisalignedVector, ///< An access of 16 bytes is 4 bytes further.
  WrongSharedPlace, ///< An address in shared memory is 16 bytes further.
  BoundTooFar,      ///< `i < n` is `i <= n`.
  WrongLane,        ///< A shuffle gives each lane its own value (or the first lane's).
  NoStore,          ///< A store to global memory is gone.
  SameBlock,        ///< A block takes itself for the first of its row.
  SwappedChoice,    ///< A select takes the other value.
  NoProxyFence,     ///< What threads wrote is not published to the tensor cores.
  NoProductFence,   ///< wgmma.fence is gone.
  ProductTooLate,   ///< A group of products of warpgroups less is waited for.
  WrongSwizzle,     ///< A descriptor of a factor says another pattern.
};
inline constexpr Mistake kMistakes[] = {
    Mistake::NoBarrier,        Mistake::DivergentBarrier, Mistake::WaitTooShort,     Mistake::NoCommit,
    Mistake::NoCopy,           Mistake::CopyPastTheEdge,  Mistake::SwappedFragment,  Mistake::WrongAccumulator,
    Mistake::TransposedMatrix, Mistake::MisalignedVector, Mistake::WrongSharedPlace, Mistake::BoundTooFar,
    Mistake::WrongLane,        Mistake::NoStore,          Mistake::SameBlock,        Mistake::SwappedChoice,
    Mistake::NoProxyFence,     Mistake::NoProductFence,   Mistake::ProductTooLate,   Mistake::WrongSwizzle,
};
const char *nameOf(Mistake mistake);

/// Makes the mistake at the `index`-th place where it can be made and returns the instruction, and what it uses, as
/// text; nothing when there are fewer.
std::optional<std::string> mutate(llvm::Module &module, Mistake mistake, size_t index);

} // namespace cnn::cuda
