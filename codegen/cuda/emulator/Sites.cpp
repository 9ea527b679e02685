// See Sites.h.
#include "codegen/cuda/emulator/Sites.h"

namespace cnn::cuda::emulator {

std::optional<Operation> findOperation(llvm::StringRef name) {
  for (auto find : {findAsyncOperation, findBarrierOperation, findLaneOperation, findCopyOperation, findMatrixOperation,
                    findMathOperation})
    if (std::optional<Operation> found = find(name))
      return found;
  return std::nullopt;
}

} // namespace cnn::cuda::emulator
