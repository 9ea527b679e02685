// From source text to a program that runs: what cnnc builds, used from C.
#include "test/e2e/Shell.h"

#include <gmock/gmock.h>

using testing::AllOf;
using testing::HasSubstr;
using testing::MatchesRegex;

namespace {

class Compiled : public Shell {
protected:
  void build(const std::string &network, const std::string &options, const std::string &folder = "out") {
    run(fmt::format("{} build {} {} --output {}", CNN_CNNC, network, options, folder));
  }
  static std::string example(const std::string &name) { return std::string(CNN_SOURCE_DIR "/examples/") + name; }
};

TEST_F(Compiled, TheExampleOfThirtyLinesNamesADigit) {
  build(example("lenet5.cnn"), "--random-weights 1");
  for (const char *library : {"out/liblenet5.a", "-Lout -llenet5 -Wl,-rpath,out"}) {
    compile(fmt::format("{} {} -Iout {} -o embed", kC, example("embed/embed.c"), library));
    EXPECT_THAT(run("./embed " + example("embed/digit.pgm")),
                MatchesRegex("[0-9] \\(score -?[0-9.]+, on [a-z0-9]+\\)\n"));
    EXPECT_THAT(run("./embed /nonexistent", 1), HasSubstr("a text PGM"));
  }
  compile(kC + " out/lenet5_smoke_test.c -Iout out/liblenet5.a -o smoke");
  EXPECT_THAT(run("./smoke"), HasSubstr("lenet5 runs on "));
}

TEST_F(Compiled, WeightsMayLieInAFile) {
  build(example("lenet5.cnn"), "--random-weights 1 --weights-in file --target cpu:sse");
  compile(fmt::format("{} {} -Iout out/liblenet5.a -o embed", kC, example("embed/embed.c")));
  EXPECT_THAT(run("./embed " + example("embed/digit.pgm"), 1), HasSubstr("the weights are not in the library"));
  compile(kC + " out/lenet5_smoke_test.c -Iout out/liblenet5.a -o smoke");
  EXPECT_EQ(run("./smoke out/lenet5.weights"), "lenet5 runs on sse\n");
}

TEST_F(Compiled, TwoInputsAndTwoOutputs) {
  build(program("pair.cnn"), "");
  compile(kC + " " + program("pair.c") + " -Iout out/libpair.a -lm -o pair");
  EXPECT_THAT(run("./pair"), HasSubstr("right on "));
  EXPECT_THAT(run("CNN_ISA=sse ./pair"), HasSubstr("right on sse"));
}

TEST_F(Compiled, PicturesAsBytesStridesAndWhatIsKept) {
  build(program("bytes.cnn"), "");
  compile(kC + " " + program("bytes.c") + " -Iout out/libbytes.a -lm -o bytes");
  EXPECT_THAT(run("./bytes"), HasSubstr("right on "));
  EXPECT_THAT(run("CNN_ISA=sse ./bytes"), HasSubstr("right on sse"));
}

TEST_F(Compiled, EachGroupHasASymbolPerInstructionSet) {
  build(example("resnet20.cnn"), "--random-weights 1 --target cpu:avx2,sse");
  // The blocks of a stage share their kernels; their names remain.
  for (const char *isa : {"avx2", "sse"})
    for (const char *path : {"conv1", "layer1_0_conv1", "layer1_1_conv1", "layer1_2_conv2", "layer3_2_conv1"})
      EXPECT_THAT(run(fmt::format("nm out/libresnet20.a | grep -cE ' t resnet20\\.{}(\\.[a-z]+)?\\.{}$'", path, isa)),
                  MatchesRegex("[1-9]\n"))
          << path;
  EXPECT_THAT(
      run("objdump -d --no-show-raw-insn out/libresnet20.a | grep -A20 '<resnet20.layer1_2_conv1[a-z.]*avx2>:'"),
      HasSubstr("call"));
}

TEST_F(Compiled, PerfReadsByLayer) {
  if (std::system("perf record -e cpu-clock -o /dev/null true >/dev/null 2>&1") != 0)
    GTEST_SKIP() << "SKIP perf is not installed, or may not measure here";
  build(example("resnet20.cnn"), "--random-weights 1 --target cpu:avx2,sse");
  compile(kC + " -std=c11 " + program("many.c") + " -Iout out/libresnet20.a -o many");
  run("perf record -q -e cpu-clock -F 2000 -o flat ./many 500 2>&1");
  // Layers of equal shape under the first one's name; nearly all samples are in layers.
  EXPECT_THAT(run("perf report -i flat --stdio 2>/dev/null"), HasSubstr("resnet20.layer3_0_conv2."));
  EXPECT_THAT(run("perf report -i flat --stdio --sort sym -F overhead 2>/dev/null | "
                  "awk '/resnet20[.]/ {s += $1} END {print (s > 60 ? \"layers\" : s)}'"),
              "layers\n");
  // And each by itself by who called it. How far up perf gets differs from run to run, so main is not asked for.
  run("perf record -q -e cpu-clock -F 1500 --call-graph dwarf -o called ./many 500 2>&1");
  EXPECT_THAT(run("perf report -i called --children --no-inline --stdio -g none 2>/dev/null"),
              AllOf(HasSubstr("resnet20.layer3_1_conv2."), HasSubstr("resnet20.layer3_2_conv2.")));
}

TEST_F(Compiled, TwoBuildsAreEqual) {
  build(example("lenet5.cnn"), "--random-weights 1 --python", "first");
  build(example("lenet5.cnn"), "--random-weights 1 --python", "second");
  EXPECT_EQ(run("diff -r first second"), "");
  EXPECT_EQ(run("ls first | wc -l"), "8\n");
}

TEST_F(Compiled, OnlyTheApiIsVisible) {
  build(example("lenet5.cnn"), "--random-weights 1 --target cpu:sse");
  const std::string names =
      "lenet5_(error|group|isa|model_bytes|model_end|model_init|run|session_(bytes|end|init|on_group|pool))";
  for (const char *symbols : {"nm -D --defined-only --without-symbol-versions out/liblenet5.so | grep -v CNN_ABI_1",
                              "nm -g --defined-only out/liblenet5.a"}) {
    EXPECT_EQ(run(fmt::format("{} | grep -cE ' T {}$'", symbols, names)), "12\n");
    EXPECT_EQ(run(fmt::format("{} | grep -E '^[0-9a-f]+ ' | grep -vE ' T {}$'", symbols, names), 1), "");
  }
  EXPECT_THAT(run("readelf -d out/liblenet5.so | grep NEEDED"), HasSubstr("[libc.so.6]"));
  EXPECT_EQ(run("readelf -d out/liblenet5.so | grep -c NEEDED"), "1\n");
}

} // namespace
