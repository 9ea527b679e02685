// The stub driver as a library in the driver's place, for programs that open libcuda.so.1. Kernels do nothing. From the
// environment: CNN_STUB_FAIL=ENTRY:NUMBER:RESULT makes one call fail, and all later ones with a + behind it;
// CNN_STUB_CAPABILITY=130 is a device of compute capability 13.0 (80), CNN_STUB_FREE=BYTES its free memory;
// CNN_STUB_LOG=FILE gets lines when the program ends, with the number of launches, replays, allocations and copies and
// with what was not given back.
#include "test/unit/runtime/cuda/StubDriver.h"

#include <cstdio>
#include <cstdlib>
#include <string>

namespace {

struct Library {
  Library() {
    stub::Machine &machine = stub::machine();
    machine.knowsAllKernels = true;
    machine.fill = 0; // a loss is a number
    if (const char *capability = std::getenv("CNN_STUB_CAPABILITY"))
      machine.capability = std::atoi(capability);
    if (const char *bytes = std::getenv("CNN_STUB_FREE"))
      machine.freeBytes = std::strtoull(bytes, nullptr, 10);
    const char *fail = std::getenv("CNN_STUB_FAIL");
    if (!fail)
      return;
    const std::string text = fail;
    const size_t first = text.find(':'), second = text.find(':', first + 1);
    machine.failEntry = text.substr(0, first);
    machine.failAt = std::atoi(text.substr(first + 1, second - first - 1).c_str());
    machine.failWith = std::atoi(text.substr(second + 1).c_str());
    machine.failsOn = text.back() == '+';
  }
  ~Library() {
    const char *path = std::getenv("CNN_STUB_LOG");
    FILE *file = path ? std::fopen(path, "w") : nullptr;
    if (!file)
      return;
    const stub::Machine &machine = stub::machine();
    const std::string leaks = stub::leaks();
    std::fprintf(file, "%d launches, %d replays, %d allocations, left: %s\n", machine.count("cuLaunchKernel"),
                 machine.count("cuGraphLaunch"), machine.count("cuMemAlloc_v2"),
                 leaks.empty() ? "nothing" : leaks.c_str());
    std::fprintf(file, "copies: %d to the device, %d from it, %d on it\n", machine.count("cuMemcpyHtoDAsync_v2"),
                 machine.count("cuMemcpyDtoHAsync_v2"), machine.count("cuMemcpyDtoDAsync_v2"));
    std::fclose(file);
  }
} library;

} // namespace
