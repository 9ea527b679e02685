//===- History.h - What training did, line by line ------------------------===//
//
// One record an epoch, and where asked for one a step, kept as JSON lines and as CSV side by side: NAME.jsonl and
// NAME.csv. A record is one append of one line, so that a kill loses the last line at most; a cut last line is dropped
// when the history is opened again. Curves are drawn from it.
//
//===----------------------------------------------------------------------===//
#ifndef CNN_RUNTIME_HOST_TRAINING_HISTORY_H
#define CNN_RUNTIME_HOST_TRAINING_HISTORY_H

#include "runtime/host/Plot.h"
#include "runtime/host/training/Metrics.h"

namespace cnn::host {

struct HistoryRecord {
  int64_t epoch = 0; // the first is 1
  int64_t step = 0;  // updates made when the record was written
  double loss = 0;   // mean over the epoch, or the step's
  std::vector<NamedValue> metrics;
  /// Figures over the validation data, "loss" first where it is known; empty where there was no validation.
  std::vector<NamedValue> validation;
  double samplesPerSecond = 0;
  double dataWait = 0; // share of the time spent waiting for data, 0 to 1
  /// More keys, such as "learning_rate": printed after the fixed ones.
  std::vector<NamedValue> extra;

  bool operator==(const HistoryRecord &) const = default;
};

/// {"epoch": 1, "step": 469, "loss": 0.25, "metrics": {"accuracy": 0.97}, "validation": {"loss": 0.2, ...},
/// "samples_per_s": 9000, "data_wait": 0.01, ...}; `validation` is null where there was none; NaN and infinities are
/// null.
std::string jsonLine(const HistoryRecord &record);
/// The record of a line; null numbers are NaN. An error where it is no such object.
Result<HistoryRecord> parseHistoryRecord(std::string_view line);

class History {
public:
  /// Takes up the history at PATH.jsonl, or begins one. Records after `lastStep` are dropped, as are a cut last line
  /// and what follows it: training goes on from a checkpoint made before them. The CSV file is rewritten from the JSON
  /// lines.
  static Result<History> open(const std::string &path, int64_t lastStep = INT64_MAX);

  /// Writes the record to both files; `sync` also waits for the disk. On an error both files are as they were or have
  /// one more line.
  Result<void> append(HistoryRecord record, bool sync = true);

  const std::vector<HistoryRecord> &records() const { return all; }

private:
  Result<void> rewriteTable();

  std::string path;
  std::vector<HistoryRecord> all;
  std::vector<std::string> columns; // of the CSV file
};

/// Panels of the loss, of each metric and of the learning rate where it is there, training and validation in one panel;
/// over epochs, or over steps where `overSteps`.
Figure historyFigure(std::span<const HistoryRecord> records, const std::string &title, bool overSteps = false);

/// PATH ending in .png or .svg.
Result<void> writeCurves(const std::string &path, std::span<const HistoryRecord> records, const std::string &title,
                         bool overSteps = false);

} // namespace cnn::host

#endif // CNN_RUNTIME_HOST_TRAINING_HISTORY_H
