//===- Cpus.cpp - How many CPUs this process may use ----------------------===//
//
// Linux: sched_getaffinity, and the files of cgroup 2 (cpu.max) and cgroup 1 (cpu.cfs_quota_us, cpu.cfs_period_us).
//
//===----------------------------------------------------------------------===//
#include "runtime/host/Cpus.h"

#include "runtime/host/File.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <sched.h>
#include <thread>

namespace cnn::host {
namespace {

std::string textOf(const std::string &path) {
  Result<std::vector<uint8_t>> file = readFile(path, 1 << 20);
  return file ? std::string(file->begin(), file->end()) : std::string();
}

/// CPUs that "quota period" allows, rounded up; 0 for no limit ("max" or -1) and for what is no pair of numbers.
long cpusOf(const std::string &text) {
  char *end = nullptr;
  const long quota = std::strtol(text.c_str(), &end, 10);
  if (end == text.c_str() || quota <= 0)
    return 0;
  const long period = std::strtol(end, nullptr, 10);
  return period > 0 ? (quota - 1) / period + 1 : 0;
}

int affinityCpus() {
  // The kernel refuses masks smaller than its own; 2^16 CPUs are beyond any machine.
  for (int cpus = 1024; cpus <= 1 << 16; cpus *= 2) {
    cpu_set_t *set = CPU_ALLOC(cpus);
    const size_t bytes = CPU_ALLOC_SIZE(cpus);
    const int status = sched_getaffinity(0, bytes, set);
    const int code = errno, count = status == 0 ? CPU_COUNT_S(bytes, set) : 0;
    CPU_FREE(set);
    if (status == 0)
      return count;
    if (code != EINVAL)
      break;
  }
  return static_cast<int>(std::thread::hardware_concurrency());
}

} // namespace

int controlGroupCpus(const std::string &root) {
  long limit = 0;
  auto lower = [&](long cpus) {
    if (cpus > 0)
      limit = limit == 0 ? cpus : std::min(limit, cpus);
  };
  // Lines are "number:controllers:path"; version 2 has number 0 and no controllers. A quota binds all groups below it.
  const std::string groups = textOf(root + "/proc/self/cgroup");
  for (size_t at = 0; at < groups.size();) {
    const size_t end = std::min(groups.find('\n', at), groups.size());
    const std::string line = groups.substr(at, end - at);
    at = end + 1;
    const size_t first = line.find(':'), second = first == line.npos ? line.npos : line.find(':', first + 1);
    if (second == line.npos)
      continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    std::string path = line.substr(second + 1);
    const bool isSecond = controllers.empty();
    const std::string list = fmt::format(",{},", controllers);
    if (!isSecond && list.find(",cpu,") == std::string::npos)
      continue;
    const std::string mount = fmt::format("{}/sys/fs/cgroup{}{}", root, isSecond ? "" : "/", controllers);
    while (true) {
      const std::string folder = mount + (path == "/" ? "" : path);
      lower(cpusOf(isSecond ? textOf(folder + "/cpu.max")
                            : textOf(folder + "/cpu.cfs_quota_us") + " " + textOf(folder + "/cpu.cfs_period_us")));
      const size_t slash = path.rfind('/');
      if (path.empty() || slash == std::string::npos)
        break;
      path.resize(slash);
    }
  }
  return static_cast<int>(std::min<long>(limit, 1 << 16));
}

int usableCpus() {
  const int affinity = std::max(1, affinityCpus()), limit = controlGroupCpus("");
  return limit > 0 ? std::min(affinity, limit) : affinity;
}

} // namespace cnn::host
