//===- HostTest.h - What the tests of the host library share --------------===//
//
// A folder that vanishes with the test, and checks on Result.
//
//===----------------------------------------------------------------------===//
#ifndef CNN_TEST_UNIT_RUNTIME_HOST_HOSTTEST_H
#define CNN_TEST_UNIT_RUNTIME_HOST_HOSTTEST_H

#include "runtime/host/Error.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <string>

namespace cnn::host {

inline std::string dataPath(const std::string &name) { return CNN_TEST_DATA + name; }

class TemporaryFolder {
public:
  TemporaryFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "cnn-host-test-XXXXXX").string();
    path = mkdtemp(pattern.data());
  }
  TemporaryFolder(const TemporaryFolder &) = delete;
  TemporaryFolder &operator=(const TemporaryFolder &) = delete;
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }

  std::string operator/(const std::string &name) const { return path + "/" + name; }
  size_t entries() const {
    size_t count = 0;
    for ([[maybe_unused]] const auto &entry : std::filesystem::directory_iterator(path))
      ++count;
    return count;
  }

private:
  std::string path;
};

/// The message of a result that should be an error of one line; "no error" otherwise.
template <class T> std::string errorOf(const Result<T> &result) {
  if (result)
    return "no error";
  EXPECT_EQ(result.error().message.find('\n'), std::string::npos) << result.error().message;
  return result.error().message;
}

} // namespace cnn::host

#define ASSERT_OK(result) ASSERT_TRUE(result) << (result).error().message
#define EXPECT_OK(result) EXPECT_TRUE(result) << (result).error().message

#endif // CNN_TEST_UNIT_RUNTIME_HOST_HOSTTEST_H
