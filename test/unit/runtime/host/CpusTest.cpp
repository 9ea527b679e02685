//===- CpusTest.cpp - How many CPUs this process may use ------------------===//
//
// Quotas of control groups, over copies of the files the kernel shows.
//
//===----------------------------------------------------------------------===//
#include "runtime/host/Cpus.h"

#include "HostTest.h"
#include "runtime/host/File.h"

#include <thread>

namespace cnn::host {
namespace {

class Root {
public:
  void put(const std::string &path, std::string_view text) {
    std::filesystem::create_directories(std::filesystem::path(folder / path).parent_path());
    ASSERT_OK(writeFile(folder / path, text));
  }
  int cpus() const { return controlGroupCpus(folder / "."); }

private:
  TemporaryFolder folder;
};

TEST(CpusTest, NoQuotaNoLimit) {
  Root root;
  EXPECT_EQ(root.cpus(), 0);
  root.put("proc/self/cgroup", "0::/user.slice\n");
  EXPECT_EQ(root.cpus(), 0);
  root.put("sys/fs/cgroup/user.slice/cpu.max", "max 100000\n");
  EXPECT_EQ(root.cpus(), 0);
  root.put("sys/fs/cgroup/user.slice/cpu.max", "nonsense");
  EXPECT_EQ(root.cpus(), 0);
}

TEST(CpusTest, SecondVersionTakesTheTightestGroupRoundedUp) {
  Root root;
  root.put("proc/self/cgroup", "0::/a/b\n");
  root.put("sys/fs/cgroup/a/b/cpu.max", "400000 100000\n");
  EXPECT_EQ(root.cpus(), 4);
  root.put("sys/fs/cgroup/a/cpu.max", "150000 100000\n");
  EXPECT_EQ(root.cpus(), 2);
  root.put("sys/fs/cgroup/cpu.max", "1000 100000\n");
  EXPECT_EQ(root.cpus(), 1);
}

TEST(CpusTest, FirstVersion) {
  Root root;
  root.put("proc/self/cgroup", "5:memory:/x\n4:cpu,cpuacct:/docker/x\n1:name=systemd:/x\n");
  root.put("sys/fs/cgroup/memory/x/cpu.cfs_quota_us", "1\n");
  root.put("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "-1\n");
  root.put("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(root.cpus(), 0);
  root.put("sys/fs/cgroup/cpu,cpuacct/docker/x/cpu.cfs_quota_us", "250000\n");
  root.put("sys/fs/cgroup/cpu,cpuacct/docker/x/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(root.cpus(), 3);
}

TEST(CpusTest, ThisMachineHasSome) {
  EXPECT_GE(usableCpus(), 1);
  EXPECT_LE(usableCpus(), static_cast<int>(std::max(1u, std::thread::hardware_concurrency())));
}

} // namespace
} // namespace cnn::host
