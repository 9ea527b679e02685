//===- Checkpoint.cpp - Training that can be taken up again ---------------===//
//
// Metadata in both directions, and the folder of checkpoints.
//
//===----------------------------------------------------------------------===//
#include "runtime/host/training/Checkpoint.h"

#include "runtime/host/Json.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <sys/stat.h>
#include <unistd.h>
#include <unordered_set>

namespace cnn::host {
namespace {

constexpr std::string_view formatName = "cnnc checkpoint 1";
constexpr std::string_view filePrefix = "step-", fileSuffix = ".safetensors";

/// The names of the fields of CheckpointInfo.
constexpr std::string_view fieldNames[] = {"format",   "network",     "network_hash", "tool_version",
                                           "step",     "epoch",       "batch",        "seed",
                                           "schedule", "best_metric", "best_value",   "class_names"};

/// Reads the string map field by field; the first problem stays.
class FieldReader {
public:
  explicit FieldReader(const std::map<std::string, std::string> &metadata) : metadata(metadata) {}

  std::string text(const std::string &name) {
    const auto found = metadata.find(name);
    if (found != metadata.end())
      return found->second;
    report(makeError("no {} in its metadata", inQuotes(name)));
    return {};
  }

  template <std::integral T> T integer(const std::string &name) {
    const std::string digits = text(name);
    T value = 0;
    const auto [end, code] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (code != std::errc() || end != digits.data() + digits.size() || value < T(0))
      report(makeError("{} is {} (expected a count)", inQuotes(name), inQuotes(digits)));
    return value;
  }

  double real(const std::string &name) {
    const std::string digits = text(name);
    char *end = nullptr;
    const double value = std::strtod(digits.c_str(), &end);
    if (digits.empty() || *end != '\0')
      report(makeError("{} is {} (expected a number)", inQuotes(name), inQuotes(digits)));
    return value;
  }

  void report(Error problem) {
    if (!firstProblem)
      firstProblem = std::move(problem);
  }
  const std::optional<Error> &problem() const { return firstProblem; }

private:
  const std::map<std::string, std::string> &metadata;
  std::optional<Error> firstProblem;
};

/// The step of a file of that name; nothing where it is no checkpoint's name.
std::optional<int64_t> stepOf(std::string_view name) {
  if (!name.starts_with(filePrefix) || !name.ends_with(fileSuffix) ||
      name.size() <= filePrefix.size() + fileSuffix.size())
    return {};
  name = name.substr(filePrefix.size(), name.size() - filePrefix.size() - fileSuffix.size());
  int64_t step = 0;
  const auto [end, code] = std::from_chars(name.data(), name.data() + name.size(), step);
  if (code != std::errc() || end != name.data() + name.size() || step < 0)
    return {};
  return step;
}

struct StepFile {
  int64_t step;
  std::string path;
};

/// The checkpoints of the folder by their steps, the last first.
Result<std::vector<StepFile>> stepFiles(const std::string &folder) {
  std::error_code code;
  std::vector<StepFile> files;
  std::filesystem::directory_iterator entries(folder, code);
  for (const std::filesystem::directory_iterator end; !code && entries != end; entries.increment(code)) {
    const std::string name = entries->path().filename().string();
    if (const std::optional<int64_t> step = stepOf(name))
      files.push_back({*step, folder + "/" + name});
  }
  if (code)
    return makeError("cannot read the folder {}: {}", inQuotes(folder), code.message());
  std::sort(files.begin(), files.end(),
            [](const StepFile &a, const StepFile &b) { return std::tie(a.step, a.path) > std::tie(b.step, b.path); });
  return files;
}

/// Removes temporary files (File.cpp: .cnn-PID-NUMBER.tmp) whose process is gone.
void removeLeftovers(const std::string &folder) {
  std::error_code code;
  std::vector<std::filesystem::path> leftovers;
  std::filesystem::directory_iterator entries(folder, code);
  for (const std::filesystem::directory_iterator end; !code && entries != end; entries.increment(code)) {
    const std::string name = entries->path().filename().string();
    constexpr std::string_view head = ".cnn-";
    if (!name.starts_with(head) || !name.ends_with(".tmp"))
      continue;
    pid_t process = 0;
    const auto [rest, problem] = std::from_chars(name.data() + head.size(), name.data() + name.size(), process);
    if (problem == std::errc() && *rest == '-' && process > 0 && kill(process, 0) != 0 && errno == ESRCH)
      leftovers.push_back(entries->path());
  }
  for (const std::filesystem::path &leftover : leftovers)
    std::filesystem::remove(leftover, code);
}

} // namespace

std::map<std::string, std::string> checkpointMetadata(const CheckpointInfo &info) {
  JsonWriter names;
  names.beginArray();
  for (const std::string &name : info.classNames)
    names.value(name);
  names.endArray();
  std::map<std::string, std::string> metadata = info.more;
  metadata["format"] = formatName;
  metadata["network"] = info.network;
  metadata["network_hash"] = info.networkHash;
  metadata["tool_version"] = info.toolVersion;
  metadata["step"] = fmt::format("{}", info.step);
  metadata["epoch"] = fmt::format("{}", info.epoch);
  metadata["batch"] = fmt::format("{}", info.batch);
  metadata["seed"] = fmt::format("{}", info.seed);
  metadata["schedule"] = info.schedule;
  metadata["best_metric"] = info.bestMetric;
  metadata["best_value"] = fmt::format("{:a}", info.bestValue);
  metadata["class_names"] = names.text();
  return metadata;
}

Result<std::vector<std::string>> classNamesOf(const std::map<std::string, std::string> &metadata) {
  const auto found = metadata.find("class_names");
  if (found == metadata.end())
    return std::vector<std::string>();
  Result<JsonValue> json = parseJson(found->second);
  if (!json || !json->isArray())
    return makeError("'class_names' in the metadata is {} (expected a list of strings)", inQuotes(found->second));
  std::vector<std::string> names;
  for (const JsonValue &item : json->items) {
    if (!item.isString())
      return makeError("'class_names' in the metadata is {} (expected a list of strings)", inQuotes(found->second));
    names.push_back(item.string);
  }
  return names;
}

std::string hashText(std::string_view text) {
  uint64_t hash = 0xcbf29ce484222325;
  for (char c : text)
    hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return fmt::format("{:016x}", hash);
}

Result<void> writeCheckpoint(const std::string &path, std::vector<NamedTensor> tensors, const CheckpointInfo &info) {
  return writeSafetensors(path, std::move(tensors), checkpointMetadata(info));
}

Result<Checkpoint> readCheckpoint(const std::string &path) {
  Result<SafetensorsFile> file = SafetensorsFile::open(path);
  if (!file)
    return file.error();
  const std::map<std::string, std::string> &metadata = file->metadata();
  const auto format = metadata.find("format");
  if (format == metadata.end() || format->second != formatName)
    return makeError(
        "{} is no checkpoint{}", inQuotes(path),
        format != metadata.end() && format->second.starts_with("cnnc checkpoint ")
            ? fmt::format(" of a form known here (it is {}, expected '{}')", inQuotes(format->second), formatName)
            : fmt::format(" (a safetensors file without the metadata 'format' = '{}')", formatName));
  FieldReader fields(metadata);
  CheckpointInfo info;
  info.network = fields.text("network");
  info.networkHash = fields.text("network_hash");
  info.toolVersion = fields.text("tool_version");
  info.step = fields.integer<int64_t>("step");
  info.epoch = fields.integer<int64_t>("epoch");
  info.batch = fields.integer<int64_t>("batch");
  info.seed = fields.integer<uint64_t>("seed");
  info.schedule = fields.text("schedule");
  info.bestMetric = fields.text("best_metric");
  info.bestValue = fields.real("best_value");
  if (Result<std::vector<std::string>> names = classNamesOf(metadata))
    info.classNames = std::move(*names);
  else
    fields.report(names.error());
  for (const auto &[name, value] : metadata)
    if (std::find(std::begin(fieldNames), std::end(fieldNames), name) == std::end(fieldNames))
      info.more.emplace(name, value);
  if (fields.problem())
    return makeError("{}: not a valid checkpoint: {}", inQuotes(path), fields.problem()->message);
  return Checkpoint{path, std::move(info), std::move(*file)};
}

Result<void> checkCheckpoint(const Checkpoint &checkpoint, std::span<const ExpectedTensor> expected,
                             const std::string &network, const std::string &networkHash) {
  const CheckpointInfo &info = checkpoint.info;
  if (info.network != network)
    return makeError("{} is a checkpoint of {}, not of {}", inQuotes(checkpoint.path), inQuotes(info.network),
                     inQuotes(network));
  std::unordered_set<std::string_view> names;
  for (const ExpectedTensor &wanted : expected) {
    names.insert(wanted.name);
    const TensorView *found = checkpoint.file.find(wanted.name);
    if (!found) {
      const std::vector<std::string> near = checkpoint.file.closestNames(wanted.name, 1);
      return makeError("{}: no tensor {}{}", inQuotes(checkpoint.path), inQuotes(wanted.name),
                       near.empty() ? "" : fmt::format(" (the nearest is {})", inQuotes(near.front())));
    }
    if (found->dtype != wanted.dtype || found->shape != wanted.shape)
      return makeError("{}: tensor {} is {} of {}, but the network has {} of {}", inQuotes(checkpoint.path),
                       inQuotes(wanted.name), dtypeName(found->dtype), shapeText(found->shape), dtypeName(wanted.dtype),
                       shapeText(wanted.shape));
  }
  for (const std::string &name : checkpoint.file.names())
    if (!names.contains(name))
      return makeError("{}: tensor {} belongs to nothing in the network", inQuotes(checkpoint.path), inQuotes(name));
  if (!networkHash.empty() && info.networkHash != networkHash)
    return makeError("{} was made from another text of {} (hash {}, now {})", inQuotes(checkpoint.path),
                     inQuotes(network), inQuotes(info.networkHash), networkHash);
  return {};
}

Result<CheckpointFolder> CheckpointFolder::open(const std::string &path, int64_t keep) {
  if (keep < 1)
    return makeError("{} checkpoints cannot be kept (expected 1 or more)", keep);
  struct stat status;
  if (mkdir(path.c_str(), 0777) != 0 && errno != EEXIST)
    return makeError("cannot make the folder {}: {}", inQuotes(path), std::strerror(errno));
  if (stat(path.c_str(), &status) != 0 || !S_ISDIR(status.st_mode))
    return makeError("{} is no folder", inQuotes(path));
  if (access(path.c_str(), W_OK | X_OK) != 0)
    return makeError("cannot write to the folder {}: {}", inQuotes(path), std::strerror(errno));
  removeLeftovers(path);
  CheckpointFolder folder;
  folder.path = path;
  folder.keep = keep;
  return folder;
}

Result<std::string> CheckpointFolder::save(std::vector<NamedTensor> tensors, const CheckpointInfo &info) {
  Result<std::vector<StepFile>> before = stepFiles(path);
  if (!before)
    return before.error();
  const std::string name = fmt::format("{}/{}{:08}{}", path, filePrefix, info.step, fileSuffix);
  if (Result<void> written = writeCheckpoint(name, std::move(tensors), info); !written)
    return written.error();
  int64_t older = 0;
  for (const StepFile &file : *before) {
    // Of later steps: training went back behind them and goes another way now.
    const bool stays = file.path == name || (file.step <= info.step && ++older < keep);
    if (!stays && unlink(file.path.c_str()) != 0 && errno != ENOENT)
      return makeError("cannot remove the old checkpoint {}: {}", inQuotes(file.path), std::strerror(errno));
  }
  return name;
}

Result<std::string> CheckpointFolder::saveBest(std::vector<NamedTensor> tensors, const CheckpointInfo &info) {
  if (Result<void> written = writeCheckpoint(bestPath(), std::move(tensors), info); !written)
    return written.error();
  return bestPath();
}

std::string CheckpointFolder::bestPath() const { return path + "/best.safetensors"; }

Result<Checkpoint> latestCheckpoint(const std::string &folder, std::vector<std::string> *skipped) {
  Result<std::vector<StepFile>> files = stepFiles(folder);
  if (!files)
    return files.error();
  for (const StepFile &file : *files) {
    Result<Checkpoint> checkpoint = readCheckpoint(file.path);
    if (checkpoint)
      return checkpoint;
    if (skipped)
      skipped->push_back(checkpoint.error().message);
  }
  if (files->empty())
    return makeError("no checkpoint in {} (expected {}NUMBER{})", inQuotes(folder), filePrefix, fileSuffix);
  return makeError("none of the {} checkpoints in {} can be read", files->size(), inQuotes(folder));
}

} // namespace cnn::host
