//===- Cpus.h - How many CPUs this process may use ------------------------===//
//
// A container often sees all CPUs of the machine while its quota gives it two; threads beyond the quota only wait.
//
//===----------------------------------------------------------------------===//
#ifndef CNN_RUNTIME_HOST_CPUS_H
#define CNN_RUNTIME_HOST_CPUS_H

#include <string>

namespace cnn::host {

/// The CPUs of the affinity mask, limited by the quotas of the control groups (versions 2 and 1) around this process,
/// rounded up. At least 1.
int usableCpus();

/// The limit from the control groups as seen below `root` ("" is the system itself), rounded up; 0 where there is none.
int controlGroupCpus(const std::string &root);

} // namespace cnn::host

#endif // CNN_RUNTIME_HOST_CPUS_H
