//===- HistoryTest.cpp - What training did, line by line ------------------===//
//
// The files as text, resuming, cut lines, and the curves.
//
//===----------------------------------------------------------------------===//
#include "runtime/host/training/History.h"

#include "runtime/host/File.h"
#include "test/unit/runtime/host/HostTest.h"

#include <cmath>
#include <fstream>
#include <unistd.h>

namespace cnn::host {
namespace {

std::string contents(const std::string &path) {
  Result<std::vector<uint8_t>> bytes = readFile(path);
  EXPECT_OK(bytes);
  return bytes ? std::string(bytes->begin(), bytes->end()) : std::string();
}

HistoryRecord record(int64_t epoch, double loss) {
  return {epoch, epoch * 100, loss, {{"accuracy", 0.5}}, {{"loss", loss + 1}, {"accuracy", 0.25}}, 8000, 0.125, {}};
}

const char *const firstLine =
    R"({"epoch": 1, "step": 100, "loss": 0.75, "metrics": {"accuracy": 0.5}, "validation": {"loss": 1.75, )"
    R"("accuracy": 0.25}, "samples_per_s": 8000, "data_wait": 0.125})";

TEST(HistoryTest, Line) {
  EXPECT_EQ(jsonLine(record(1, 0.75)), firstLine);
  HistoryRecord bare;
  bare.loss = NAN;
  bare.extra = {{"learning_rate", 0.5}};
  EXPECT_EQ(jsonLine(bare), R"({"epoch": 0, "step": 0, "loss": null, "metrics": {}, "validation": null, )"
                            R"("samples_per_s": 0, "data_wait": 0, "learning_rate": 0.5})");
  Result<HistoryRecord> read = parseHistoryRecord(firstLine);
  ASSERT_OK(read);
  EXPECT_EQ(*read, record(1, 0.75));
  read = parseHistoryRecord(jsonLine(bare));
  ASSERT_OK(read);
  EXPECT_TRUE(std::isnan(read->loss));
  EXPECT_EQ(read->extra, bare.extra);
  EXPECT_EQ(errorOf(parseHistoryRecord("[1]")), "a line of the history is no object");
  EXPECT_EQ(errorOf(parseHistoryRecord("{\"epoch\":1}")), "a line of the history lacks epoch, step or loss");
  EXPECT_EQ(errorOf(parseHistoryRecord("{\"epoch\":-1}")), "'epoch' in a line of the history is no count");
  EXPECT_EQ(errorOf(parseHistoryRecord("{\"x\":\"y\"}")), "'x' in a line of the history is no number");
}

TEST(HistoryTest, KeepsBothFiles) {
  TemporaryFolder folder;
  Result<History> history = History::open(folder / "history");
  ASSERT_OK(history);
  EXPECT_EQ(contents(folder / "history.csv"), "");
  ASSERT_OK(history->append(record(1, 0.75)));
  ASSERT_OK(history->append(record(2, NAN)));
  EXPECT_EQ(contents(folder / "history.csv"),
            "epoch,step,loss,accuracy,validation_loss,validation_accuracy,samples_per_s,data_wait\n"
            "1,100,0.75,0.5,1.75,0.25,8000,0.125\n"
            "2,200,,0.5,,0.25,8000,0.125\n");
  const std::string lines = contents(folder / "history.jsonl");
  EXPECT_EQ(lines.substr(0, lines.find('\n')), firstLine);
  // A column that comes later goes to the end; the table is made anew.
  HistoryRecord more = record(3, 0.5);
  more.extra = {{"learning_rate", 0.001}};
  ASSERT_OK(history->append(more));
  EXPECT_EQ(contents(folder / "history.csv"),
            "epoch,step,loss,accuracy,validation_loss,validation_accuracy,samples_per_s,data_wait,learning_rate\n"
            "1,100,0.75,0.5,1.75,0.25,8000,0.125,\n"
            "2,200,,0.5,,0.25,8000,0.125,\n"
            "3,300,0.5,0.5,1.5,0.25,8000,0.125,0.001\n");
  EXPECT_EQ(folder.entries(), 2U);
}

TEST(HistoryTest, GoesOnWhereItWasCut) {
  TemporaryFolder folder;
  {
    Result<History> history = History::open(folder / "history");
    ASSERT_OK(history);
    for (int64_t epoch = 1; epoch <= 4; ++epoch)
      ASSERT_OK(history->append(record(epoch, 0.75)));
  }
  std::ofstream(folder / "history.jsonl", std::ios::app) << "{\"epoch\":5,\"st"; // killed while writing
  Result<History> history = History::open(folder / "history");
  ASSERT_OK(history);
  EXPECT_EQ(history->records().size(), 4U);
  history = History::open(folder / "history", 250); // a checkpoint between epochs 2 and 3
  ASSERT_OK(history);
  ASSERT_EQ(history->records().size(), 2U);
  EXPECT_EQ(history->records()[0], record(1, 0.75));
  ASSERT_OK(history->append(record(3, 0.5)));
  Result<History> again = History::open(folder / "history");
  ASSERT_OK(again);
  EXPECT_EQ(again->records(), history->records());
  EXPECT_EQ(contents(folder / "history.csv").substr(0, 10), "epoch,step");
}

TEST(HistoryTest, SaysWhatIsWrong) {
  TemporaryFolder folder;
  std::ofstream(folder / "history.jsonl") << firstLine << "\nnonsense\n";
  EXPECT_NE(errorOf(History::open(folder / "history")).find("history.jsonl':2: a line of the history is "),
            std::string::npos);
  EXPECT_NE(errorOf(History::open(folder / "no/history")).find("no' does not exist"), std::string::npos);
  Result<History> history = History::open(folder / "other");
  ASSERT_OK(history);
  std::filesystem::remove(folder / "other.jsonl");
  std::filesystem::create_directory(folder / "other.jsonl");
  EXPECT_NE(errorOf(history->append(record(1, 1))).find("cannot write"), std::string::npos);
  EXPECT_TRUE(history->records().empty());
}

TEST(HistoryTest, Curves) {
  std::vector<HistoryRecord> records;
  for (int64_t epoch = 1; epoch <= 5; ++epoch) {
    records.push_back(record(epoch, 1.0 / static_cast<double>(epoch)));
    records.back().extra = {{"learning_rate", 0.1}, {"unrelated", 3}};
  }
  const Figure figure = historyFigure(records, "a run");
  ASSERT_EQ(figure.panels.size(), 3U);
  EXPECT_EQ(figure.panels[0].title, "loss");
  ASSERT_EQ(figure.panels[0].series.size(), 2U);
  EXPECT_EQ(figure.panels[0].series[1].name, "validation");
  EXPECT_EQ(figure.panels[0].series[0].x, (std::vector<double>{1, 2, 3, 4, 5}));
  EXPECT_EQ(figure.panels[0].series[1].y[0], 2);
  EXPECT_EQ(figure.panels[1].title, "accuracy");
  EXPECT_EQ(figure.panels[2].title, "learning rate");
  EXPECT_EQ(historyFigure(records, "", true).panels[0].series[0].x[1], 200);
  TemporaryFolder folder;
  ASSERT_OK(writeCurves(folder / "curves.png", records, "a run"));
  ASSERT_OK(readImage(folder / "curves.png"));
  ASSERT_OK(writeCurves(folder / "curves.svg", {}, "nothing yet"));
  EXPECT_NE(errorOf(writeCurves(folder / "curves.gif", records, "")).find("are written as .png or .svg"),
            std::string::npos);
}

} // namespace
} // namespace cnn::host
