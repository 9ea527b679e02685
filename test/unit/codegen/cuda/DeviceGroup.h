// One group on the emulated device, compared with the reference.
#pragma once

#include "codegen/cuda/CudaDialect.h"
#include "codegen/cuda/emulator/Emulator.h"
#include "test/unit/codegen/cpu/GroupCase.h"

namespace cnn::testing {

struct DeviceOptions {
  std::string architecture = "sm_80";
  /// Instead of what the target chooses, where the algorithm has it; 0 keeps that.
  int64_t rows = 0, columns = 0, depth = 0, stages = 0, slices = 0;
  bool warpgroups = false;
};

/// Expects that `algorithm` computes the group: results within the reference's bounds, padded lanes zero, and the same
/// bits whichever threads go first and whenever copies happen; no access where none may be, no race, and in tiles
/// no bank conflict.
void checkOnDevice(GroupCase &group, cuda::Algorithm algorithm, const DeviceOptions &options = {});

} // namespace cnn::testing
