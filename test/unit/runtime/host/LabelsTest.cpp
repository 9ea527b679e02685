//===- LabelsTest.cpp - Names of classes and the best scores --------------===//
//
// Label files as they are found, and the order of equal scores.
//
//===----------------------------------------------------------------------===//
#include "runtime/host/Labels.h"

#include "HostTest.h"
#include "runtime/host/File.h"

#include <cmath>

namespace cnn::host {
namespace {

TEST(LabelsTest, ReadsPlainAndSynsetLines) {
  using Names = std::vector<std::string>;
  EXPECT_EQ(parseLabels("tench\ngoldfish\n"), (Names{"tench", "goldfish"}));
  EXPECT_EQ(parseLabels("\xEF\xBB\xBFtench\r\n\r\ngoldfish \r\n\r\n"), (Names{"tench", "", "goldfish"}));
  EXPECT_EQ(parseLabels("n01440764 tench, Tinca tinca\nn01443537 goldfish, Carassius auratus"),
            (Names{"tench, Tinca tinca", "goldfish, Carassius auratus"}));
  EXPECT_EQ(parseLabels("n0144 tench\nn01440764\nn0144076x tench"),
            (Names{"n0144 tench", "n01440764", "n0144076x tench"}));
  EXPECT_EQ(parseLabels(""), Names{});
}

TEST(LabelsTest, RefusesWhatIsNoListOfLabels) {
  TemporaryFolder folder;
  ASSERT_OK(writeFile(folder / "good", std::string_view("a\nb\n")));
  ASSERT_OK(writeFile(folder / "empty", std::string_view("\n\n")));
  ASSERT_OK(writeFile(folder / "binary", std::string_view("a\n\x89PNG\x1a")));
  Result<std::vector<std::string>> good = readLabels(folder / "good");
  ASSERT_OK(good);
  EXPECT_EQ(good->size(), 2u);
  EXPECT_EQ(errorOf(readLabels(folder / "empty")), "'" + (folder / "empty") + "': no labels, expected one a line");
  EXPECT_EQ(errorOf(readLabels(folder / "binary")),
            "'" + (folder / "binary") + "':2: no text in UTF-8, expected one label a line");
  EXPECT_EQ(errorOf(readLabels("/no/such")), "cannot read '/no/such': no such file or folder");
}

TEST(LabelsTest, TakesTheHighestScoresInAStableOrder) {
  auto indices = [](std::vector<float> scores, size_t count) {
    std::vector<int64_t> result;
    for (const Score &score : topScores(scores, count))
      result.push_back(score.index);
    return result;
  };
  using Indices = std::vector<int64_t>;
  EXPECT_EQ(indices({1, 5, 3, 5, 2}, 3), (Indices{1, 3, 2}));
  EXPECT_EQ(indices({0, -0.0f, 0}, 3), (Indices{0, 1, 2}));
  EXPECT_EQ(indices({NAN, 1, NAN, -INFINITY}, 4), (Indices{1, 3, 0, 2}));
  EXPECT_EQ(indices({2, 1}, 5), (Indices{0, 1}));
  EXPECT_EQ(indices({}, 5), Indices{});
  EXPECT_EQ(topScores(std::vector<float>{1, 7}, 1)[0].value, 7);
}

} // namespace
} // namespace cnn::host
