//===- History.cpp - What training did, line by line ----------------------===//
//
// The JSON lines are the truth; the CSV file is made from them. Appending is one write() to a file opened with
// O_APPEND.
//
//===----------------------------------------------------------------------===//
#include "runtime/host/training/History.h"

#include "runtime/host/Csv.h"
#include "runtime/host/File.h"
#include "runtime/host/Json.h"

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <fcntl.h>
#include <limits>
#include <sys/stat.h>
#include <unistd.h>

namespace cnn::host {
namespace {

constexpr double undefined = std::numeric_limits<double>::quiet_NaN();

/// One write of the whole text; what could be written of it in part is taken back.
Result<void> appendText(const std::string &path, std::string_view text, bool sync) {
  auto problem = [&](int code) { return makeError("cannot write {}: {}", inQuotes(path), std::strerror(code)); };
  const int descriptor = open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
  if (descriptor < 0)
    return problem(errno);
  struct stat before;
  int code = fstat(descriptor, &before) == 0 ? 0 : errno;
  ssize_t written = 0;
  do
    written = code == 0 ? write(descriptor, text.data(), text.size()) : 0;
  while (written < 0 && errno == EINTR);
  if (code == 0 && written != static_cast<ssize_t>(text.size())) {
    code = written < 0 ? errno : ENOSPC;
    if (written > 0 && ftruncate(descriptor, before.st_size) != 0)
      code = errno;
  }
  if (code == 0 && sync && fsync(descriptor) != 0 && errno != EINVAL)
    code = errno;
  if (close(descriptor) != 0 && code == 0)
    code = errno;
  if (code != 0)
    return problem(code);
  return {};
}

std::vector<std::string> columnsOf(const HistoryRecord &record) {
  std::vector<std::string> columns = {"epoch", "step", "loss"};
  for (const auto &[name, value] : record.metrics)
    columns.push_back(name);
  for (const auto &[name, value] : record.validation)
    columns.push_back("validation_" + name);
  columns.insert(columns.end(), {"samples_per_s", "data_wait"});
  for (const auto &[name, value] : record.extra)
    columns.push_back(name);
  return columns;
}

std::vector<NamedValue> fieldsOf(const HistoryRecord &record) {
  std::vector<double> values = {double(record.epoch), double(record.step), record.loss};
  for (const auto *part : {&record.metrics, &record.validation})
    for (const auto &[name, value] : *part)
      values.push_back(value);
  values.insert(values.end(), {record.samplesPerSecond, record.dataWait});
  for (const auto &[name, value] : record.extra)
    values.push_back(value);
  std::vector<NamedValue> fields;
  for (const std::string &column : columnsOf(record))
    fields.emplace_back(column, values[fields.size()]);
  return fields;
}

std::string tableRow(const HistoryRecord &record, std::span<const std::string> columns) {
  const std::vector<NamedValue> fields = fieldsOf(record);
  std::string row;
  for (size_t i = 0; i < columns.size(); ++i) {
    const std::string &column = columns[i];
    const auto found =
        std::find_if(fields.begin(), fields.end(), [&](const auto &field) { return field.first == column; });
    row += i == 0 ? "" : ",";
    if (found == fields.end())
      continue;
    if (column == "epoch" || column == "step")
      row += fmt::format("{}", column == "epoch" ? record.epoch : record.step);
    else
      row += csvNumber(found->second);
  }
  return row + "\n";
}

void writeObject(JsonWriter &json, std::string_view name, const std::vector<NamedValue> &values) {
  json.key(name).beginObject();
  for (const auto &[key, value] : values)
    json.member(key, value);
  json.endObject();
}

bool isFigure(const JsonValue &value) { return value.isNumber() || value.kind == JsonValue::Kind::Null; }
double figureOf(const JsonValue &value) { return value.isNumber() ? value.real : undefined; }

Result<std::vector<NamedValue>> figuresOf(const JsonValue &object, std::string_view name) {
  std::vector<NamedValue> figures;
  if (!object.isObject())
    return makeError("{} is no object", name);
  for (const auto &[key, value] : object.members) {
    if (!isFigure(value))
      return makeError("{} of {} is no number", inQuotes(key), name);
    figures.emplace_back(key, figureOf(value));
  }
  return figures;
}

} // namespace

std::string jsonLine(const HistoryRecord &record) {
  JsonWriter json;
  json.beginObject().member("epoch", record.epoch).member("step", record.step).member("loss", record.loss);
  writeObject(json, "metrics", record.metrics);
  if (record.validation.empty())
    json.key("validation").null();
  else
    writeObject(json, "validation", record.validation);
  json.member("samples_per_s", record.samplesPerSecond).member("data_wait", record.dataWait);
  for (const auto &[key, value] : record.extra)
    json.member(key, value);
  return json.endObject().text();
}

Result<HistoryRecord> parseHistoryRecord(std::string_view line) {
  Result<JsonValue> json = parseJson(line);
  if (!json)
    return makeError("a line of the history is {}", json.error().message);
  if (!json->isObject())
    return makeError("a line of the history is no object");
  HistoryRecord record;
  unsigned seen = 0;
  for (const auto &[key, value] : json->members) {
    if (key == "epoch" || key == "step") {
      if (!value.isInteger() || value.integer < 0)
        return makeError("'{}' in a line of the history is no count", key);
      (key == "epoch" ? record.epoch : record.step) = value.integer;
      ++seen;
    } else if (key == "metrics" || key == "validation") {
      if (key == "validation" && value.kind == JsonValue::Kind::Null)
        continue;
      Result<std::vector<NamedValue>> figures = figuresOf(value, key);
      if (!figures)
        return makeError("in a line of the history {}", figures.error().message);
      (key == "metrics" ? record.metrics : record.validation) = std::move(*figures);
    } else if (!isFigure(value)) {
      return makeError("{} in a line of the history is no number", inQuotes(key));
    } else if (key == "loss") {
      record.loss = figureOf(value);
      ++seen;
    } else if (key == "samples_per_s") {
      record.samplesPerSecond = figureOf(value);
    } else if (key == "data_wait") {
      record.dataWait = figureOf(value);
    } else {
      record.extra.emplace_back(key, figureOf(value));
    }
  }
  if (seen != 3)
    return makeError("a line of the history lacks epoch, step or loss");
  return record;
}

Result<History> History::open(const std::string &path, int64_t lastStep) {
  History history;
  history.path = path;
  const std::string lines = path + ".jsonl";
  std::string text;
  if (struct stat status; stat(lines.c_str(), &status) == 0) {
    Result<std::vector<uint8_t>> bytes = readFile(lines);
    if (!bytes)
      return bytes.error();
    text.assign(bytes->begin(), bytes->end());
  }
  size_t kept = 0;
  for (size_t number = 1, end = 0; (end = text.find('\n', kept)) != std::string::npos; ++number) {
    const std::string_view line = std::string_view(text).substr(kept, end - kept);
    Result<HistoryRecord> record = parseHistoryRecord(line);
    if (!record)
      return makeError("{}:{}: {}", inQuotes(lines), number, record.error().message);
    if (record->step > lastStep)
      break;
    history.all.push_back(std::move(*record));
    kept = end + 1;
  }
  // Also where nothing is dropped: that the file can be written is known before training begins.
  if (Result<void> written = writeFile(lines, std::string_view(text).substr(0, kept)); !written)
    return written.error();
  if (Result<void> written = history.rewriteTable(); !written)
    return written.error();
  return history;
}

Result<void> History::rewriteTable() {
  // Columns of later records, such as of a validation that was asked for on resuming, go to the end.
  columns.clear();
  for (const HistoryRecord &record : all)
    for (const std::string &column : columnsOf(record))
      if (std::find(columns.begin(), columns.end(), column) == columns.end())
        columns.push_back(column);
  std::string text;
  for (const std::string &column : columns)
    text += (text.empty() ? "" : ",") + csvField(column);
  text += columns.empty() ? "" : "\n";
  for (const HistoryRecord &record : all)
    text += tableRow(record, columns);
  return writeFile(path + ".csv", text);
}

Result<void> History::append(HistoryRecord record, bool sync) {
  if (Result<void> written = appendText(path + ".jsonl", jsonLine(record) + "\n", sync); !written)
    return written;
  all.push_back(std::move(record));
  const std::vector<std::string> wanted = columnsOf(all.back());
  const bool known = std::all_of(wanted.begin(), wanted.end(), [&](const std::string &column) {
    return std::find(columns.begin(), columns.end(), column) != columns.end();
  });
  return known ? appendText(path + ".csv", tableRow(all.back(), columns), sync) : rewriteTable();
}

Figure historyFigure(std::span<const HistoryRecord> records, const std::string &title, bool overSteps) {
  Figure figure;
  figure.title = title;
  auto panelNamed = [&](const std::string &name) -> Panel & {
    for (Panel &panel : figure.panels)
      if (panel.title == name)
        return panel;
    Panel panel;
    panel.title = name;
    panel.xLabel = overSteps ? "step" : "epoch";
    figure.panels.push_back(std::move(panel));
    return figure.panels.back();
  };
  auto add = [&](const std::string &name, const std::string &series, size_t colour, const HistoryRecord &record,
                 double value) {
    Panel &panel = panelNamed(name);
    auto found = std::find_if(panel.series.begin(), panel.series.end(),
                              [&](const Series &known) { return known.name == series; });
    if (found == panel.series.end()) {
      panel.series.push_back({series, {}, {}, plotColour(colour), false});
      found = panel.series.end() - 1;
    }
    found->x.push_back(static_cast<double>(overSteps ? record.step : record.epoch));
    found->y.push_back(value);
  };
  panelNamed("loss");
  for (const HistoryRecord &record : records) {
    add("loss", "training", 0, record, record.loss);
    for (const auto &[name, value] : record.metrics)
      add(name, "training", 0, record, value);
    for (const auto &[name, value] : record.validation)
      add(name, "validation", 1, record, value);
    for (const auto &[name, value] : record.extra)
      if (name == "learning_rate" || name.starts_with("learning_rate_"))
        add("learning rate", name == "learning_rate" ? "" : name.substr(sizeof("learning_rate_") - 1),
            name == "learning_rate" ? 2 : 3 + panelNamed("learning rate").series.size(), record, value);
  }
  return figure;
}

Result<void> writeCurves(const std::string &path, std::span<const HistoryRecord> records, const std::string &title,
                         bool overSteps) {
  return writePlot(path, historyFigure(records, title, overSteps));
}

} // namespace cnn::host
