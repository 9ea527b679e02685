// A compiled network against the reference implementation: what `cnnc verify` finds out, apart from its command line.
#pragma once

#include "tools/cnnc/Compile.h"
#include "tools/cnnc/GroupCheck.h"
#include "tools/cnnc/Ports.h"

#include "llvm/Support/raw_ostream.h"

#include <string>
#include <vector>

namespace cnn {

struct VerifyReport {
  std::string network, isa, target;
  std::vector<GroupResult> groups;
  /// The largest of all groups.
  double maxAbsolute = 0, maxRelative = 0, maxUlp = 0, maxOfBound = 0;
  /// The group that is nearest to its bound or furthest beyond.
  std::string worst;
  /// The largest error of an output, of the largest value of the output.
  double endToEnd = 0;
  /// What is wrong, a sentence each.
  std::vector<std::string> failures;

  bool passed() const { return failures.empty(); }
};

/// What a compiled network is compared with, and on what.
struct VerifyCase {
  const Weights &weights;
  std::vector<Port> outputs;
  std::vector<host::Tensor> inputs;
  /// The outputs of the network as elaborated.
  std::vector<host::Tensor> expected;
  int64_t batch = 1;
  int64_t threads = 1;
};

/// Runs `shipped` and compares group by group and as a whole; `kept`, the same network with a plan that keeps every
/// buffer, must give the same bits. An error where a comparison is not possible.
host::Result<VerifyReport> verifyCompiled(Compiled &shipped, Compiled &kept, const VerifyCase &against);

/// Prints the report, as one line of JSON or as a table; returns the exit code.
int printReport(const VerifyReport &report, bool json, llvm::raw_ostream &stream = llvm::outs());

} // namespace cnn
