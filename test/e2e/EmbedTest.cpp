// What users do with a package: compile C99 and C++ against its header, link it statically and dynamically, by hand,
// through pkg-config and CMake; two networks in one program; weights apart, and wrong ones; a forced instruction set;
// the smoke test.
#include "test/e2e/Shell.h"
#include "test/unit/codegen/package/TinyProgram.h"

#include "codegen/cpu/Isa.h"
#include "codegen/package/Package.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <numeric>

using namespace cnn;
using testing::HasSubstr;
using testing::StartsWith;

namespace {

class Embed : public Shell {
protected:
  tiny::Options tinyOptions, otherOptions;

  Embed() {
    otherOptions.name = "other";
    otherOptions.steps = 4;
    otherOptions.firstWeight = 2;
    otherOptions.twoOutputs = true;
  }

  void build(const tiny::Options &options, PackageOptions::Weights weights = PackageOptions::Weights::Automatic) {
    auto result = writePackage(tiny::makeProgram(options), {path.str().str(), weights});
    if (!result)
      FAIL() << llvm::toString(result.takeError());
  }

  /// What programs/one.c prints.
  std::string wanted(const std::string &isa, const tiny::Options &options) {
    std::vector<float> x(3 * tiny::kImage);
    for (size_t i = 0; i < x.size(); ++i)
      x[i] = static_cast<float>(i % 13);
    auto y = tiny::expected(options, 3, x.data()).y;
    return fmt::format("{} {:.1f}\n", isa, std::accumulate(y.begin(), y.end(), 0.0));
  }
  static std::string bestIsa(const tiny::Options &options) {
    for (const std::string &isa : options.isas)
      if (cpu::hostSupports(*cpu::parseIsa(isa)))
        return isa;
    return "";
  }
};

TEST_F(Embed, C99AndCxxStaticAndShared) {
  build(tinyOptions);
  for (const std::string &compiler : {kC, kCxx})
    for (const char *library : {"-x none libtiny.a", "-x none -L. -ltiny -Wl,-rpath,."}) {
      compile(fmt::format("{} {} -I. {} -o one", compiler, program("one.c"), library));
      EXPECT_EQ(run("./one"), wanted(bestIsa(tinyOptions), tinyOptions)) << compiler << " " << library;
    }
}

TEST_F(Embed, TwoNetworksInOneProgramAndEightThreadsOnEachModel) {
  build(tinyOptions);
  build(otherOptions);
  compile(kC + " " + program("two.c") + " -I. libtiny.a libother.a -pthread -o two");
  std::vector<float> x(tiny::kImage), bias(tiny::kPlanes);
  for (size_t i = 0; i < x.size(); ++i)
    x[i] = static_cast<float>(i % 13);
  std::iota(bias.begin(), bias.end(), 0.0f);
  tiny::Result first = tiny::expected(tinyOptions, 1, x.data());
  tiny::Result second = tiny::expected(otherOptions, 1, x.data(), bias.data());
  auto sum = [](const std::vector<float> &values) { return std::accumulate(values.begin(), values.end(), 0.0); };
  EXPECT_EQ(run("./two"), fmt::format("{:.1f} {:.1f} {:.1f}\n", sum(first.y), sum(second.y), sum(second.sums)));
}

TEST_F(Embed, TheEnvironmentForcesAnInstructionSet) {
  build(tinyOptions);
  compile(kC + " " + program("one.c") + " -I. libtiny.a -o one");
  for (const std::string &isa : tinyOptions.isas)
    if (cpu::hostSupports(*cpu::parseIsa(isa)))
      EXPECT_EQ(run("CNN_ISA=" + isa + " ./one"), wanted(isa, tinyOptions));
    else
      EXPECT_THAT(run("CNN_ISA=" + isa + " ./one", 1), StartsWith("error 7: "));
  EXPECT_THAT(run("CNN_ISA=neon ./one", 1), StartsWith("error 6: "));
}

TEST_F(Embed, WeightsApartAreCheckedBeforeUse) {
  build(tinyOptions, PackageOptions::Weights::Separate);
  compile(kC + " " + program("one.c") + " -I. libtiny.a -o one");
  EXPECT_EQ(run("./one tiny.weights"), wanted(bestIsa(tinyOptions), tinyOptions));
  EXPECT_THAT(run("./one -", 1), StartsWith("error 8: "));
  EXPECT_THAT(run("./one missing", 1), StartsWith("error 9: "));
  EXPECT_THAT(run("head -c 100 tiny.weights > short && ./one short", 1), StartsWith("error 10: "));
  EXPECT_THAT(run("cp tiny.weights bad && printf x | dd of=bad bs=1 conv=notrunc status=none && ./one bad", 1),
              StartsWith("error 11: "));
  // The second number of the header is the ABI's version.
  EXPECT_THAT(
      run("cp tiny.weights bad && printf '\\2' | dd of=bad bs=1 seek=8 conv=notrunc status=none && ./one bad", 1),
      StartsWith("error 11: "));
  EXPECT_THAT(
      run("cp tiny.weights bad && printf x | dd of=bad bs=1 seek=4100 conv=notrunc status=none && ./one bad", 1),
      StartsWith("error 12: "));
  // The weights of another network of the same size.
  tiny::Options changed = tinyOptions;
  changed.name = "changed";
  changed.firstWeight = 3;
  build(changed, PackageOptions::Weights::Separate);
  EXPECT_THAT(run("./one changed.weights", 1), StartsWith("error 12: "));
  // A library with its weights inside takes a file with the same weights too.
  build(tinyOptions, PackageOptions::Weights::Embedded);
  compile(kC + " " + program("one.c") + " -I. libtiny.a -o one");
  EXPECT_EQ(run("./one -"), wanted(bestIsa(tinyOptions), tinyOptions));
  EXPECT_EQ(run("./one tiny.weights"), wanted(bestIsa(tinyOptions), tinyOptions));
  EXPECT_THAT(run("./one changed.weights", 1), StartsWith("error 12: "));
}

TEST_F(Embed, TheSmokeTestBuildsAndRuns) {
  build(tinyOptions);
  build(otherOptions, PackageOptions::Weights::Separate);
  const std::string isa = bestIsa(tinyOptions);
  for (const std::string &compiler : {kC, kCxx}) {
    compile(compiler + " tiny_smoke_test.c -I. -x none libtiny.a -o smoke");
    EXPECT_EQ(run("./smoke"), "tiny runs on " + isa + "\n");
    compile(compiler + " other_smoke_test.c -I. -x none libother.a -o smoke");
    EXPECT_EQ(run("./smoke other.weights"), "other runs on " + isa + "\n");
    EXPECT_THAT(run("./smoke", 1), HasSubstr("the weights are not in the library"));
  }
}

TEST_F(Embed, ALibraryOfAnotherAbiIsRefusedByTheLoader) {
  build(tinyOptions);
  compile(kC + " " + program("one.c") + " -I. -L. -ltiny -Wl,-rpath,. -o one");
  EXPECT_EQ(run("./one"), wanted(bestIsa(tinyOptions), tinyOptions));
  // A later library with the same functions, under the version of its own ABI.
  run("echo 'CNN_ABI_99 { global: tiny_*; };' > abi.map");
  run("nm -D --defined-only libtiny.so | sed -n 's/.* T \\(tiny_[a-z_]*\\).*/void \\1(void) {}/p' > later.c");
  run("gcc -shared -fPIC later.c -Wl,--version-script=abi.map -Wl,-soname,libtiny.so -o later.so && mv later.so "
      "libtiny.so");
  EXPECT_THAT(run("./one", 1), HasSubstr("version `CNN_ABI_1' not found"));
}

TEST_F(Embed, PkgConfigFindsThePackageWhereverItIs) {
  if (std::system("pkg-config --version >/dev/null 2>&1") != 0)
    GTEST_SKIP() << "SKIP pkg-config is not installed";
  build(tinyOptions);
  run("mkdir elsewhere && mv *tiny* elsewhere");
  for (const std::string &source : {program("one.c"), std::string("elsewhere/tiny_smoke_test.c")}) {
    compile(kC + " " + source + " $(PKG_CONFIG_PATH=elsewhere pkg-config --cflags --libs tiny) -o one");
    EXPECT_THAT(run("LD_LIBRARY_PATH=elsewhere ./one"), HasSubstr(bestIsa(tinyOptions)));
    compile(kC + " -static " + source +
            " $(PKG_CONFIG_PATH=elsewhere pkg-config --static --cflags --libs tiny) -o one");
    EXPECT_THAT(run("./one"), HasSubstr(bestIsa(tinyOptions)));
  }
  run("PKG_CONFIG_PATH=elsewhere pkg-config --exact-version=1 tiny");
  run("PKG_CONFIG_PATH=elsewhere pkg-config --exact-version=2 tiny", 1);
}

TEST_F(Embed, CMakeFindsThePackageWhereverItIs) {
  build(tinyOptions);
  run("mkdir elsewhere && mv *tiny* elsewhere");
  std::ofstream(path.str().str() + "/CMakeLists.txt")
      << "cmake_minimum_required(VERSION 3.13)\nproject(user C)\nfind_package(tiny ${VERSION} CONFIG REQUIRED)\n"
      << "foreach(kind static shared)\n"
      << "  add_executable(${kind} " << program("one.c") << ")\n"
      << "  add_executable(${kind}_smoke elsewhere/tiny_smoke_test.c)\n"
      << "  target_link_libraries(${kind} tiny::${kind})\n"
      << "  target_link_libraries(${kind}_smoke tiny::${kind})\nendforeach()\n";
  run("cmake -G Ninja -B user -DCMAKE_PREFIX_PATH=$PWD/elsewhere -DVERSION=1 . && ninja -C user");
  for (const char *kind : {"static", "shared"}) {
    EXPECT_EQ(run(fmt::format("user/{}", kind)), wanted(bestIsa(tinyOptions), tinyOptions));
    EXPECT_EQ(run(fmt::format("user/{}_smoke", kind)), "tiny runs on " + bestIsa(tinyOptions) + "\n");
  }
  EXPECT_THAT(run("cmake -G Ninja -B later -DCMAKE_PREFIX_PATH=$PWD/elsewhere -DVERSION=2 .", 1),
              HasSubstr("tinyConfig.cmake, version: 1"));
}

} // namespace
