// Measures and reports; Measurement.h has the contract.
#include "tools/cnnc/Measurement.h"

#include "runtime/host/Json.h"
#include "runtime/host/Tensor.h"
#include "tools/cnnc/Compile.h"
#include "tools/cnnc/MemoryPeak.h"
#include "tools/cnnc/Table.h"

#include <algorithm>
#include <chrono>

namespace cnn {

using Clock = std::chrono::steady_clock;

static double milliseconds(Clock::duration duration) {
  return std::chrono::duration<double, std::milli>(duration).count();
}

host::Result<Measurement> measure(Loaded &loaded, llvm::ArrayRef<const void *> inputs, const MeasuredRun &run) {
  const Program &program = loaded.program();
  std::vector<host::Tensor> outputs;
  std::vector<void *> outputData;
  for (const TensorInfo &info : program.outputs) {
    std::vector<int64_t> shape = info.shape;
    if (info.batched)
      shape.insert(shape.begin(), run.batch);
    outputs.push_back(host::Tensor::zeros(info.dtype, shape));
    outputData.push_back(outputs.back().bytes.data());
  }
  Measurement result;
  result.groups.assign(program.groups.size(), std::numeric_limits<double>::infinity());
  std::vector<double> times;
  std::vector<int64_t> current;
  auto start = Clock::now();
  // The first run is for warming up: page faults, clock rates; on a device the second one, too, which makes a graph.
  std::vector<double> deviceTimes;
  int64_t warming = 1;
  for (int64_t i = 0;
       i <= warming || (run.runs ? i < warming + run.runs : milliseconds(Clock::now() - start) < 1000 * run.seconds);
       ++i) {
    auto runStart = Clock::now();
    if (llvm::Error error = loaded.run(run.batch, inputs, outputData))
      return toError(std::move(error));
    double elapsed = milliseconds(Clock::now() - runStart);
    auto again = loaded.runAgain(run.batch);
    if (!again)
      return toError(again.takeError());
    if (*again)
      warming = 2;
    if (i < warming)
      continue;
    times.push_back(elapsed);
    if (*again)
      deviceTimes.push_back(static_cast<double>(**again) * 1e-6);
    current.assign(program.groups.size(), 0);
    if (llvm::Error error = loaded.runTimed(run.batch, inputs, outputData, current))
      return toError(std::move(error));
    for (size_t group = 0; group < current.size(); ++group)
      result.groups[group] = std::min(result.groups[group], static_cast<double>(current[group]) * 1e-6);
  }
  std::sort(times.begin(), times.end());
  result.minimum = times.front();
  result.median = times[times.size() / 2];
  result.runs = times.size();
  if (!deviceTimes.empty()) {
    std::sort(deviceTimes.begin(), deviceTimes.end());
    result.device = Measurement::Device{deviceTimes.front(), deviceTimes[deviceTimes.size() / 2]};
  }
  return result;
}

static void printJson(const Loaded &loaded, const MeasuredRun &run, const Measurement &measured, double flops,
                      double peak) {
  host::JsonWriter json;
  json.beginObject().member("network", run.name).member("batch", run.batch).member("threads", run.threads);
  json.member("isa", loaded.isa()).member("min_ms", measured.minimum).member("median_ms", measured.median);
  if (measured.device)
    json.member("device_min_ms", measured.device->minimum).member("device_median_ms", measured.device->median);
  json.member("runs", measured.runs).member("gflops", flops / measured.best() * 1e-6);
  if (peak > 0)
    json.member("peak_gflops", peak);
  if (run.savedBytes)
    json.member("saved_bytes", *run.savedBytes);
  json.member("compile_s", run.compileSeconds).key("groups").beginArray();
  for (auto [group, time] : llvm::zip_equal(loaded.program().groups, measured.groups)) {
    double groupFlops = static_cast<double>(group.flopsPerImage * run.batch);
    json.beginObject().member("path", group.path).member("kind", group.kind).member("algorithm", group.algorithm);
    json.member("min_ms", time).member("gflops", time > 0 ? groupFlops / time * 1e-6 : 0.0).endObject();
  }
  llvm::outs() << json.endArray().endObject().text() << "\n";
}

static void printTable(const Loaded &loaded, const MeasuredRun &run, const Measurement &measured, double flops,
                       double peak) {
  llvm::outs() << run.name << " on " << describeTarget(loaded) << ", " << run.threads
               << (run.threads == 1 ? " thread" : " threads") << ", batch " << run.batch << ", " << measured.runs
               << " runs\n\n";
  using Align = Table::Align;
  Table table({{"group", Align::Left},
               {"kind", Align::Left},
               {"algorithm", Align::Left},
               {"ms", Align::Right},
               {"of total", Align::Right},
               {"GFLOP/s", Align::Right},
               {"of peak", Align::Right},
               {"GB/s", Align::Right}});
  double total = 0;
  for (double time : measured.groups)
    total += time;
  for (auto [group, time] : llvm::zip_equal(loaded.program().groups, measured.groups)) {
    double rate = static_cast<double>(group.flopsPerImage * run.batch) / time * 1e-6;
    double bytes = static_cast<double>(group.bytesPerImage * run.batch) / time * 1e-6;
    bool hasArithmetic = group.flopsPerImage > 0 && time > 0;
    table.add({group.path, group.kind, group.algorithm, millisecondsText(time, total, 4),
               fixed(100 * time / std::max(total, 1e-9), 1) + " %", hasArithmetic ? fixed(rate, 1) : "",
               hasArithmetic && peak > 0 ? fixed(100 * rate / peak, 1) + " %" : "", time > 0 ? fixed(bytes, 1) : ""});
  }
  table.print(llvm::outs());
  double rate = flops / measured.best() * 1e-6;
  llvm::outs() << "\n";
  if (measured.device)
    llvm::outs()
        << "host to host: best " << millisecondsText(measured.minimum, measured.median, 3) << " ms, median "
        << millisecondsText(measured.median, measured.median, 3)
        << " ms, with copies of inputs and outputs, by the host's clock\ntensors on the device, by its events: "
        << "best " << millisecondsText(measured.device->minimum, measured.device->median, 3) << " ms, median "
        << millisecondsText(measured.device->median, measured.device->median, 3);
  else
    llvm::outs() << "best " << millisecondsText(measured.minimum, measured.median, 3) << " ms, median "
                 << millisecondsText(measured.median, measured.median, 3);
  llvm::outs() << " ms, " << fixed(rate, 1) << " GFLOP/s";
  if (peak > 0)
    llvm::outs() << ", " << fixed(100 * rate / peak, 1) << " % of the measured peak of " << fixed(peak, 1)
                 << " GFLOP/s";
  llvm::outs() << "\nGFLOP/s count two operations a multiply-add of the direct method.\n";
  if (run.savedBytes)
    llvm::outs() << "saved for the backward pass: " << bytesText(*run.savedBytes) << "\n";
}

static double totalFlops(const Loaded &loaded, const MeasuredRun &run) {
  double flops = 0;
  for (const GroupInfo &group : loaded.program().groups)
    flops += static_cast<double>(group.flopsPerImage * run.batch);
  return flops;
}

Report measurementReport(const Loaded &loaded, const MeasuredRun &run, const Measurement &measured, double peak) {
  Report report;
  report.title = run.name + ": time by group";
  report.peakGflops = peak;
  report.gigabytes = measureReadGigabytes(static_cast<int>(run.threads));
  const double rate = totalFlops(loaded, run) / measured.minimum * 1e-6;
  report.facts = {
      {"target", describeTarget(loaded)},
      {"threads", std::to_string(run.threads)},
      {"batch", std::to_string(run.batch)},
      {"best of " + std::to_string(measured.runs), millisecondsText(measured.minimum, measured.median, 3) + " ms"},
      {"median", millisecondsText(measured.median, measured.median, 3) + " ms"},
      {"rate", fixed(rate, 1) + " GFLOP/s, " + fixed(100 * rate / peak, 1) + " % of the peak"},
      {"measured peak", fixed(peak, 1) + " GFLOP/s"},
      {"measured reading of memory", fixed(report.gigabytes, 1) + " GB/s"},
      {"compiled in", fixed(run.compileSeconds, 2) + " s"}};
  for (auto [group, time] : llvm::zip_equal(loaded.program().groups, measured.groups))
    report.groups.push_back({group.path,
                             group.kind,
                             group.algorithm,
                             static_cast<double>(group.flopsPerImage * run.batch),
                             static_cast<double>(group.bytesPerImage * run.batch),
                             time,
                             {}});
  return report;
}

void printMeasurement(const Loaded &loaded, const MeasuredRun &run, const Measurement &measured, double peak,
                      bool json) {
  const double flops = totalFlops(loaded, run);
  (json ? printJson : printTable)(loaded, run, measured, flops, peak);
}

} // namespace cnn
