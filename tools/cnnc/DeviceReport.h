// What is known of the kernels of a CUDA program before anything runs: launch, resources, and which limit of a GPU of
// the architecture should hold each group.
#pragma once

#include "codegen/Program.h"
#include "codegen/cuda/Architecture.h"
#include "codegen/cuda/Toolkit.h"
#include "runtime/host/Error.h"
#include "runtime/host/Json.h"

#include <string>
#include <vector>

namespace cnn {

class DeviceReport {
public:
  /// Asks ptxas for registers and spills where the machine has one; `batch` is that of the launches.
  static host::Result<DeviceReport> create(const Program &program, int64_t batch);

  /// Lines for people about group `index` of the program.
  std::vector<std::string> lines(size_t index) const;
  void write(host::JsonWriter &json, size_t index) const;

private:
  struct Kernel {
    std::string architecture, symbol;
    int64_t blocks = 0, threads = 0, sharedBytes = 0;
    std::optional<cuda::KernelResources> resources;
    double occupancy = 0; ///< Of the threads that a multiprocessor can hold.
  };
  struct Bound {
    std::string architecture, device, limit;
    double seconds = 0;
  };
  struct Group {
    double bytes = 0, operations = 0; ///< Of the batch.
    std::vector<Kernel> kernels;
    std::vector<Bound> bounds;
  };
  int64_t batch = 1;
  std::vector<Group> groups;
};

} // namespace cnn
