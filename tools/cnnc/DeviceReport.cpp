// See DeviceReport.h.
#include "tools/cnnc/DeviceReport.h"

#include "codegen/cuda/ToPtx.h"
#include "tools/cnnc/Compile.h"
#include "tools/cnnc/Table.h"

#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/MathExtras.h"

namespace cnn {

/// The share of a multiprocessor's threads that can be there at once, by threads, blocks, registers and shared memory.
static double occupancyOf(const cuda::Architecture &architecture, const DeviceLaunch &launch, int64_t registers) {
  // Registers are given to warps in units of 256; 1 KiB of shared memory of a block is the system's.
  constexpr int64_t kRegisterUnit = 256, kSystemBytes = 1024;
  int64_t warps = llvm::divideCeil(launch.blockThreads, cuda::kThreadsPerWarp);
  int64_t blocks = std::min(architecture.blocksPerMultiprocessor,
                            architecture.threadsPerMultiprocessor / (warps * cuda::kThreadsPerWarp));
  if (registers)
    blocks = std::min(blocks, cuda::kRegistersPerMultiprocessor /
                                  int64_t(llvm::alignTo(registers * cuda::kThreadsPerWarp, kRegisterUnit) * warps));
  if (launch.sharedBytes)
    blocks = std::min(blocks, architecture.sharedBytesPerMultiprocessor / (launch.sharedBytes + kSystemBytes));
  return static_cast<double>(blocks * warps * cuda::kThreadsPerWarp) /
         static_cast<double>(architecture.threadsPerMultiprocessor);
}

/// What holds a group on the architecture's device.
static std::pair<std::string, double> limitOf(const cuda::Architecture &architecture, double bytes, double operations,
                                              size_t launches) {
  // What one kernel after the other takes in a graph, at least.
  constexpr double kLaunchSeconds = 2e-6;
  double memory = bytes / (architecture.device.gigabytes * 1e9);
  double arithmetic = operations / (architecture.device.teraflops * 1e12);
  double launch = kLaunchSeconds * static_cast<double>(launches);
  if (launch >= memory && launch >= arithmetic)
    return {"launches", launch};
  return memory >= arithmetic ? std::pair("memory", memory) : std::pair("arithmetic", arithmetic);
}

host::Result<DeviceReport> DeviceReport::create(const Program &program, int64_t batch) {
  DeviceReport report;
  report.batch = batch;
  for (const GroupInfo &info : program.groups) {
    Group &group = report.groups.emplace_back();
    group.bytes = static_cast<double>(info.bytesPerImage) * static_cast<double>(batch);
    group.operations = static_cast<double>(info.flopsPerImage) * static_cast<double>(batch);
  }
  for (auto [number, variant] : llvm::enumerate(program.variants)) {
    const cuda::Architecture &architecture = *cuda::findArchitecture(variant.name);
    std::optional<cuda::Assembled> assembled;
    if (cuda::findTool("ptxas")) {
      auto ptx = cuda::toPtx(*variant.module, architecture);
      if (!ptx)
        return toError(ptx.takeError());
      auto done = cuda::assemble(*ptx, architecture);
      if (!done)
        return toError(done.takeError());
      assembled = std::move(*done);
    }
    std::vector<size_t> launches(report.groups.size(), 0);
    for (const Step &step : program.steps) {
      const KernelUse &use = step.kernels[number];
      Kernel kernel;
      ++launches[step.group];
      kernel.architecture = variant.name;
      kernel.symbol = use.symbol;
      int64_t units = use.fixedUnits + batch * use.unitsPerImage;
      kernel.blocks =
          static_cast<int64_t>(llvm::divideCeil(units, use.device.unitsPerBlock)) * use.device.gridY * use.device.gridZ;
      kernel.threads = use.device.blockThreads;
      kernel.sharedBytes = use.device.sharedBytes;
      if (assembled)
        if (auto found = assembled->kernels.find(use.symbol); found != assembled->kernels.end())
          kernel.resources = found->second;
      kernel.occupancy = occupancyOf(architecture, use.device, kernel.resources ? kernel.resources->registers : 0);
      // Groups without a step of their own are computed by the one before (codegen/cuda/Lower.h).
      bool isLast = &step == &program.steps.back();
      int64_t end = isLast ? static_cast<int64_t>(report.groups.size()) : (&step + 1)->group;
      for (int64_t group = step.group; group < std::max(end, step.group + 1); ++group)
        report.groups[group].kernels.push_back(kernel);
    }
    for (auto [group, count] : llvm::zip_equal(report.groups, launches)) {
      auto [limit, seconds] = limitOf(architecture, group.bytes, group.operations, count);
      group.bounds.push_back({variant.name, architecture.device.name.str(), limit, seconds});
    }
  }
  return report;
}

std::vector<std::string> DeviceReport::lines(size_t index) const {
  const Group &group = groups[index];
  std::vector<std::string> lines;
  for (const Kernel &kernel : group.kernels) {
    std::string line = llvm::formatv("kernel:    {0} {1}: {2} blocks of {3} threads", kernel.architecture,
                                     kernel.symbol, kernel.blocks, kernel.threads);
    if (kernel.sharedBytes)
      line += ", " + bytesText(kernel.sharedBytes) + " of shared memory";
    if (kernel.resources)
      line += llvm::formatv(", {0} registers, {1}", kernel.resources->registers,
                            kernel.resources->spillBytes ? bytesText(kernel.resources->spillBytes) + " spilled"
                                                         : std::string("no spills"));
    line += ", occupancy " + fixed(100 * kernel.occupancy, 0) + " %" + (kernel.resources ? "" : " at most");
    lines.push_back(line);
  }
  lines.push_back(llvm::formatv("traffic:   {0} and {1} operations for {2} image{3}: {4} a byte",
                                bytesText(static_cast<int64_t>(group.bytes)), static_cast<int64_t>(group.operations),
                                batch, batch == 1 ? "" : "s",
                                fixed(group.bytes > 0 ? group.operations / group.bytes : 0, 1)));
  for (const Bound &bound : group.bounds)
    lines.push_back(llvm::formatv("bound:     by {0} on {1} ({2}), {3} us at least", bound.limit, bound.device,
                                  bound.architecture, fixed(bound.seconds * 1e6, 1)));
  return lines;
}

void DeviceReport::write(host::JsonWriter &json, size_t index) const {
  const Group &group = groups[index];
  json.key("kernels").beginArray();
  for (const Kernel &kernel : group.kernels) {
    json.beginObject()
        .member("architecture", kernel.architecture)
        .member("symbol", kernel.symbol)
        .member("blocks", kernel.blocks)
        .member("threads", kernel.threads)
        .member("shared_bytes", kernel.sharedBytes)
        .member("occupancy", kernel.occupancy);
    if (kernel.resources)
      json.member("registers", kernel.resources->registers).member("spill_bytes", kernel.resources->spillBytes);
    json.endObject();
  }
  json.endArray().member("bytes", group.bytes).member("operations", group.operations).key("bounds").beginObject();
  for (const Bound &bound : group.bounds)
    json.key(bound.architecture)
        .beginObject()
        .member("device", bound.device)
        .member("limit", bound.limit)
        .member("seconds", bound.seconds)
        .endObject();
  json.endObject();
}

} // namespace cnn
