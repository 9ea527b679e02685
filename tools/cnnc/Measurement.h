// How long a compiled program takes, group by group, and what `bench` says about that.
#pragma once

#include "codegen/package/Loaded.h"
#include "runtime/host/Error.h"
#include "tools/cnnc/HtmlReport.h"

#include <limits>
#include <optional>
#include <vector>

namespace cnn {

struct Measurement {
  double minimum = 0, median = 0; ///< Milliseconds from call to return, with tensors of the host.
  /// The same of the kernels alone, with tensors on the device and by its own events, where there is one.
  struct Device {
    double minimum = 0, median = 0;
  };
  std::optional<Device> device;
  size_t runs = 0;
  std::vector<double> groups; ///< The least of each group.

  /// What rates are of: what the kernels take.
  double best() const { return device ? device->minimum : minimum; }
};

/// What is measured and on what.
struct MeasuredRun {
  std::string name;
  int64_t batch = 1, threads = 1;
  int64_t runs = 0; ///< 0: for `seconds`.
  double seconds = 2;
  double compileSeconds = 0;
  std::optional<int64_t> savedBytes; ///< Of a training step: what is kept for the backward pass.
};

/// Runs on the loaded program's session, alternating runs without and with a clock for each group, so that the total is
/// not slowed down by the clock.
host::Result<Measurement> measure(Loaded &loaded, llvm::ArrayRef<const void *> inputs, const MeasuredRun &run);

/// The JSON line or the table of `cnnc bench`; `peak` is what the machine can do
/// (FmaPeak.h); 0: unknown.
void printMeasurement(const Loaded &loaded, const MeasuredRun &run, const Measurement &measured, double peak,
                      bool json);

/// The same as a page; measures the memory's bandwidth.
Report measurementReport(const Loaded &loaded, const MeasuredRun &run, const Measurement &measured, double peak);

} // namespace cnn
