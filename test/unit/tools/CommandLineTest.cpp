// The command line of a subcommand: what is accepted, and the whole text of what is refused.
#include "tools/cnnc/CommandLine.h"

#include <gtest/gtest.h>

namespace {

struct Parsed {
  std::optional<int> code;
  std::string output, errors;
  std::string net, weights;
  std::vector<std::string> inputs;
  int64_t threads = 1;
  std::optional<uint64_t> seed;
  std::optional<double> share;
  bool json = false;
};

Parsed parse(const std::vector<std::string> &arguments) {
  Parsed parsed;
  cnn::CommandLine line("cnnc run", "Runs.");
  line.positional("NET", parsed.net, "the network");
  line.text("weights", "FILE", parsed.weights, "weights");
  line.list("input", "FILE", parsed.inputs, "an input");
  line.number("threads", "N", parsed.threads, 1, 1024, "threads");
  line.real("share", "X", parsed.share, 0, 0.5, "a share");
  line.seed("seed", "SEED", parsed.seed, "a seed");
  line.flag("json", parsed.json, "one line of JSON");
  llvm::raw_string_ostream output(parsed.output), errors(parsed.errors);
  parsed.code = line.parse(arguments, output, errors);
  return parsed;
}

constexpr const char *kHint = "\nUsage: 'cnnc run --help' lists the options.\n";

TEST(CommandLine, SetsValuesInEitherSpelling) {
  Parsed parsed = parse({"--weights", "w", "a.cnn", "--threads=3", "--input", "x=1", "--input=y=2", "--json", "--seed",
                         "18446744073709551615"});
  EXPECT_EQ(parsed.code, std::nullopt) << parsed.errors;
  EXPECT_EQ(parsed.net, "a.cnn");
  EXPECT_EQ(parsed.weights, "w");
  EXPECT_EQ(parsed.inputs, (std::vector<std::string>{"x=1", "y=2"}));
  EXPECT_EQ(parsed.threads, 3);
  EXPECT_EQ(parsed.seed, UINT64_MAX);
  EXPECT_TRUE(parsed.json);
}

TEST(CommandLine, TakesDashesAfterTwoDashes) { EXPECT_EQ(parse({"--", "--odd.cnn"}).net, "--odd.cnn"); }

TEST(CommandLine, HelpListsEveryOption) {
  Parsed parsed = parse({"a.cnn", "--help"});
  EXPECT_EQ(parsed.code, 0);
  EXPECT_EQ(parsed.output, "usage: cnnc run NET [options]\n\nRuns.\n\n"
                           "  NET             the network\n"
                           "  --weights FILE  weights\n"
                           "  --input FILE    an input\n"
                           "  --threads N     threads\n"
                           "  --share X       a share\n"
                           "  --seed SEED     a seed\n"
                           "  --json          one line of JSON\n");
}

TEST(CommandLine, RefusesWithTheReason) {
  const std::pair<std::vector<std::string>, std::string> cases[] = {
      {{}, "cnnc run: 'NET' is missing: the network"},
      {{"a", "b"}, "cnnc run: unexpected argument 'b'"},
      {{"a", "--tresds", "2"}, "cnnc run: unknown option '--tresds'; did you mean '--threads'?"},
      {{"a", "--wieghts=w"}, "cnnc run: unknown option '--wieghts'; did you mean '--weights'?"},
      {{"a", "--colour"}, "cnnc run: unknown option '--colour'"},
      {{"a", "-t"}, "cnnc run: unknown option '-t'"},
      {{"a", "--threads"}, "cnnc run: '--threads' needs a value: --threads N"},
      {{"a", "--threads", "0"}, "cnnc run: '--threads' is '0': a whole number from 1 to 1024 is expected"},
      {{"a", "--threads", "2x"}, "cnnc run: '--threads' is '2x': a whole number from 1 to 1024 is expected"},
      {{"a", "--seed", "-1"}, "cnnc run: '--seed' is '-1': a whole number from 0 to 2^64 - 1 is expected"},
      {{"a", "--json=yes"}, "cnnc run: '--json' takes no value"},
      {{"a", "--weights", "x", "--weights", "y"}, "cnnc run: '--weights' is given twice"},
      {{"a", "--weights="}, "cnnc run: '--weights' is '': an empty value"},
  };
  for (const auto &[arguments, message] : cases) {
    Parsed parsed = parse(arguments);
    EXPECT_EQ(parsed.code, 2);
    EXPECT_EQ(parsed.errors, message + kHint);
  }
}

TEST(CommandLine, NumbersHaveLimits) {
  EXPECT_EQ(parse({"net", "--share", "0.25"}).share, 0.25);
  for (const char *wrong : {"0.6", "-1", "half", "nan"})
    EXPECT_EQ(parse({"net", "--share", wrong}).errors,
              "cnnc run: '--share' is '" + std::string(wrong) + "': a number from 0 to 0.5 is expected" + kHint);
}

} // namespace
