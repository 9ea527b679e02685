// The cache of compiled libraries: what is another key, what is no entry, how large it gets, and processes at once.
#include "codegen/package/CodeCache.h"
#include "codegen/package/Loaded.h"
#include "test/unit/codegen/package/TinyProgram.h"

#include "llvm/Support/FileSystem.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <sys/stat.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <utime.h>

using namespace cnn;

namespace {

class Cache : public testing::Test {
protected:
  llvm::SmallString<64> path;

  Cache() { EXPECT_FALSE(llvm::sys::fs::createUniqueDirectory("cnn-cache", path)); }
  ~Cache() override { (void)llvm::sys::fs::remove_directories(path); }

  std::string folder() const { return path.str().str() + "/deep/cnnc"; }
  std::vector<std::string> entries() const {
    std::vector<std::string> names;
    std::error_code code;
    for (llvm::sys::fs::directory_iterator it(folder(), code), end; it != end && !code; it.increment(code))
      names.push_back(it->path());
    std::sort(names.begin(), names.end());
    return names;
  }
  static std::vector<char> bytes(size_t count, char value) { return std::vector<char>(count, value); }
  static std::string key(const Program &program, size_t variant = 2) {
    LibraryOptions options;
    options.variants = {variant};
    options.forTools = true;
    auto made = cacheKey(program, options);
    EXPECT_TRUE(static_cast<bool>(made));
    return made ? *made : llvm::toString(made.takeError());
  }
  void expectRight(const CodeCache &cache) const {
    const tiny::Options options;
    Program program = tiny::makeProgram(options);
    auto loaded = Loaded::create(program, "sse", &cache);
    ASSERT_TRUE(static_cast<bool>(loaded)) << llvm::toString(loaded.takeError());
    ASSERT_FALSE(static_cast<bool>((*loaded)->openSession(2, 1)));
    std::vector<float> x = tiny::numbers(2 * tiny::kImage), y(x.size());
    ASSERT_FALSE(static_cast<bool>((*loaded)->run(2, {x.data()}, {y.data()})));
    EXPECT_EQ(y, tiny::expected(options, 2, x.data()).y);
  }
};

TEST_F(Cache, ServesWhatItHasAndNothingElse) {
  CodeCache cache(folder());
  EXPECT_FALSE(cache.find("a")) << "there is no folder yet";
  cache.store("a", bytes(1000, 1));
  ASSERT_TRUE(cache.find("a"));
  EXPECT_FALSE(cache.find("b"));
  // An entry under another key is none.
  ASSERT_EQ(rename((folder() + "/a.so").c_str(), (folder() + "/b.so").c_str()), 0);
  EXPECT_FALSE(cache.find("b"));
}

TEST_F(Cache, DamagedEntriesAreNone) {
  CodeCache cache(folder());
  for (int damage = 0; damage < 4; ++damage) {
    cache.store("a", bytes(1000, 1));
    ASSERT_TRUE(cache.find("a"));
    const std::string file = folder() + "/a.so";
    if (damage == 0)
      std::fstream(file, std::ios::in | std::ios::out | std::ios::binary).seekp(500).put(2);
    else if (damage == 1)
      ASSERT_EQ(truncate(file.c_str(), 700), 0);
    else if (damage == 2)
      ASSERT_EQ(truncate(file.c_str(), 0), 0);
    else
      ASSERT_EQ(truncate(file.c_str(), 2000), 0);
    EXPECT_FALSE(cache.find("a")) << damage;
  }
  cache.store("a", bytes(1000, 1));
  EXPECT_TRUE(cache.find("a"));
  // Where others may write, nothing is loaded from.
  ASSERT_EQ(chmod(folder().c_str(), 0777), 0);
  EXPECT_FALSE(cache.find("a"));
}

TEST_F(Cache, KeepsToItsLimitAndDropsWhatWasNotUsedForLongest) {
  CodeCache cache(folder(), 3500);
  auto age = [&](const char *name, time_t seconds) {
    const utimbuf times = {time(nullptr) - seconds, time(nullptr) - seconds};
    ASSERT_EQ(utime((folder() + "/" + name).c_str(), &times), 0);
  };
  for (const char *name : {"a", "b", "c"})
    cache.store(name, bytes(1000, 1));
  age("a.so", 300);
  age("b.so", 200);
  age("c.so", 100);
  ASSERT_TRUE(cache.find("a")) << "used just now";
  std::ofstream(folder() + "/.cnn-1-1.tmp") << "what an interrupted process left";
  age(".cnn-1-1.tmp", 7200);
  cache.store("d", bytes(1000, 1));
  EXPECT_EQ(entries(), (std::vector<std::string>{folder() + "/a.so", folder() + "/c.so", folder() + "/d.so"}));
  cache.store("large", bytes(4000, 1));
  EXPECT_EQ(entries().size(), 3u);
}

TEST_F(Cache, AnotherProgramIsAnotherKey) {
  const std::string known = key(tiny::makeProgram());
  EXPECT_EQ(key(tiny::makeProgram()), known);
  EXPECT_NE(key(tiny::makeProgram(), 1), known);
  tiny::Options options;
  options.steps = 4;
  EXPECT_NE(key(tiny::makeProgram(options)), known);
  Program program = tiny::makeProgram();
  program.workspaceBytes += 64;
  EXPECT_NE(key(program), known);
  program = tiny::makeProgram();
  program.steps[1].operands[0].slice += 64;
  EXPECT_NE(key(program), known);
  program = tiny::makeProgram();
  program.steps[0].kernels[2].grain += 1;
  EXPECT_NE(key(program), known);
}

TEST_F(Cache, ALibraryFromTheCacheComputesTheSame) {
  CodeCache cache(folder());
  expectRight(cache);
  ASSERT_EQ(entries().size(), 1u);
  struct stat first, second;
  ASSERT_EQ(stat(entries()[0].c_str(), &first), 0);
  expectRight(cache);
  ASSERT_EQ(stat(entries()[0].c_str(), &second), 0);
  EXPECT_EQ(first.st_ino, second.st_ino) << "it was compiled again";
  // What was damaged is compiled again and stored anew.
  ASSERT_EQ(truncate(entries()[0].c_str(), 100), 0);
  expectRight(cache);
  EXPECT_TRUE(cache.find(llvm::StringRef(entries()[0]).rsplit('/').second.drop_back(3)));
  // A place where nothing can be stored.
  expectRight(CodeCache("/proc/nowhere"));
}

TEST_F(Cache, ProcessesUseItAtOnce) {
  // Small enough that they remove each other's entries all the time.
  std::vector<pid_t> children;
  for (int child = 0; child < 4; ++child) {
    pid_t process = fork();
    if (process == 0) {
      CodeCache cache(folder(), 20000);
      bool right = true;
      for (int i = 0; i < 60 && right; ++i) {
        const std::string name = std::to_string((child + i) % 5);
        cache.store(name, bytes(5000, name[0]));
        if (auto found = cache.find(name)) {
          std::ifstream file(*found, std::ios::binary);
          char c = name[0];
          right = !file.read(&c, 1) || c == name[0];
        }
      }
      _exit(right ? 0 : 1);
    }
    children.push_back(process);
  }
  for (pid_t child : children) {
    int status = 0;
    waitpid(child, &status, 0);
    EXPECT_EQ(status, 0);
  }
  for (const std::string &entry : entries())
    EXPECT_TRUE(llvm::StringRef(entry).ends_with(".so")) << entry << " is left";
}

} // namespace
