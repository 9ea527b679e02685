// A program to a package in a folder: NAME.h, libNAME.a, libNAME.so, NAME.weights where the weights are apart, NAME.pc,
// NAMEConfig.cmake with its version and NAME_smoke_test.c. Equal programs give equal bytes.
#pragma once

#include "codegen/Program.h"

#include <string>
#include <vector>

namespace cnn {

/// Weights above this size go to a file of their own unless asked otherwise.
constexpr int64_t kEmbeddedWeightsLimit = int64_t(64) << 20;

struct PackageOptions {
  enum class Weights { Automatic, Embedded, Separate };
  std::string folder; ///< Created where it is missing.
  Weights weights = Weights::Automatic;
  bool python = false; ///< Write a wheel for Python as well.
};

struct PackageResult {
  std::vector<std::string> files; ///< With the folder.
  uint64_t weightsHash = 0;
  bool weightsEmbedded = false;
};

/// Nothing is written before all of it is made, and no file gets its name before all are on the disk: a full disk or an
/// interruption leaves the files of an earlier package as they were.
llvm::Expected<PackageResult> writePackage(const Program &program, const PackageOptions &options);

} // namespace cnn
