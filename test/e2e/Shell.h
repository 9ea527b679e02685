// A folder of its own for each test, and commands run in it.
#pragma once

#include "llvm/Support/FileSystem.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <string>

const std::string kC = "gcc -std=c99 -pedantic -Wall -Wextra -Werror -O1";
const std::string kCxx = "g++ -std=c++11 -x c++ -pedantic -Wall -Wextra -Werror -O1";

class Shell : public testing::Test {
protected:
  llvm::SmallString<64> path;

  Shell() { EXPECT_FALSE(llvm::sys::fs::createUniqueDirectory("cnn-e2e", path)); }
  ~Shell() override { llvm::sys::fs::remove_directories(path); }

  /// What a command prints, in the folder; both streams. `status` is the exit status that it must have.
  std::string run(const std::string &command, int status = 0) {
    std::string full = fmt::format("cd {} && ( {} ) 2>&1", path.str().str(), command), output;
    FILE *pipe = popen(full.c_str(), "r");
    for (int c; (c = fgetc(pipe)) != EOF;)
      output += static_cast<char>(c);
    int code = pclose(pipe);
    EXPECT_EQ(WEXITSTATUS(code), status) << command << "\n" << output;
    return output;
  }
  /// Compiles; a warning of the linker is a failure too.
  void compile(const std::string &command) { EXPECT_EQ(run(command), ""); }
  static std::string program(const char *name) { return std::string(CNN_SOURCE_DIR "/test/e2e/programs/") + name; }
};
