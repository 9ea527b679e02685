//===- Source.h - What each format of data gives --------------------------===//
//
// Internal to runtime/host/data: a Source is one opened part (training, test, ...) of one format, in the data's own
// order and types. Dataset.cpp converts it to the network's fields.
//
//===----------------------------------------------------------------------===//
#ifndef CNN_RUNTIME_HOST_DATA_SOURCE_H
#define CNN_RUNTIME_HOST_DATA_SOURCE_H

#include "runtime/host/data/Dataset.h"

#include <set>

namespace cnn::host {

/// What every sample has one of: an 8-bit picture, numbers, or the weights that borderWeights() makes of a mask, which
/// picture() then gives.
struct Part {
  enum class Kind { Picture, Array, BorderWeights };
  std::string name;
  Kind kind = Kind::Picture;
  DType dtype = DType::U8; // of an array
  /// Of one sample: a picture's [C, H, W] where all have the same, else empty.
  std::vector<int64_t> shape;
  /// The file, for messages about all of it.
  std::string file;
};

class FileTree;

class Source {
public:
  virtual ~Source() = default;

  /// Sample `index` in messages.
  virtual std::string name(int64_t index) const = 0;
  /// The file of one of its parts.
  virtual std::string partName(size_t part, int64_t index) const {
    return parts[part].file.empty() ? name(index) : fmt::format("{}[{}]", parts[part].file, index);
  }
  /// Each only of parts of that kind. Called from many threads.
  virtual Result<Image> picture(size_t part, int64_t index) const = 0;
  virtual std::span<const uint8_t> array(size_t part, int64_t index) const = 0;
  virtual uint64_t memoryBytes() const = 0;

  std::string format;
  int64_t size = 0;
  std::vector<Part> parts;
  std::vector<std::string> classNames; // of the part "label"
  /// Files that belong to no sample (a mask without its picture), where bad data is skipped.
  std::vector<std::string> skipped;
};

using SourcePointer = std::shared_ptr<const Source>;

/// What is opened: the split, and what the network asks for.
struct Request {
  Split split = Split::Train;
  /// The parts that fields may be filled from, as in Field::part.
  std::set<std::string> parts;
  int64_t classes = 0;  // of the label, 0 where the network takes none
  bool skipBad = false; // as in DatasetOptions
  /// The folder or archive that was read last, for the next split of the same path.
  std::shared_ptr<const FileTree> tree;

  bool wants(const std::string &part) const { return parts.contains(part); }
};

/// The part that fills `field` where the data has it under that name: what the field says, or by its own name ("y" and
/// "labels" are "label", and so on), or by its type.
std::vector<std::string> partCandidates(const Field &field);
/// "images", "x", "inputs" -> "image", ...; other names as they are.
std::string partOfName(std::string_view name);

/// A part of the data: all of it, where it has no such parts, or None where what is asked for is missing.
enum class Portion { Whole, Train, Validation, Test, None };
/// The portion that a folder or a file of this name is, by its usual names: train, test, t10k, val, valid, validation.
Portion portionOfFolder(std::string_view name);

/// Chooses among those there are: for Train and for Test one that must be there, for Validation it or Test or None.
Result<Portion> choosePortion(const std::set<Portion> &present, Split split, const std::string &path);

/// What a format makes of a path. It is null where Validation is asked for and the data has no such part.
struct Opened {
  bool recognized = false;
  SourcePointer source = nullptr;
};

/// Opens what is at `path`; the first format that recognizes it decides.
Result<SourcePointer> openSource(const std::string &path, Request &request);

/// A folder, one of the files, or the beginning of their names.
Result<Opened> openIdx(const std::string &path, const Request &request);
/// A folder or one of its files.
Result<Opened> openCifar(const std::string &path, const Request &request);
/// A folder, an .npy (a picture's or a label's; the other lies beside it) or an .npz.
Result<Opened> openNumpy(const std::string &path, const Request &request);

Result<Opened> openMasks(const std::shared_ptr<const FileTree> &tree, const Request &request);
Result<Opened> openClassFolders(const std::shared_ptr<const FileTree> &tree, const Request &request);
Result<Opened> openPlainPictures(const std::shared_ptr<const FileTree> &tree, const Request &request);

/// The names in a folder, sorted, without hidden ones; an error where it cannot be read.
Result<std::vector<std::string>> listFolder(const std::string &path);
bool isFolder(const std::string &path);
bool isFile(const std::string &path);
/// By the ending of the name.
bool isPictureName(std::string_view path);
/// A picture of a kind that cannot be read (.bmp, .gif, .webp, .tiff).
bool isForeignPictureName(std::string_view path);
/// `name` without its folder; without its ending.
std::string_view baseName(std::string_view path);
std::string_view withoutExtension(std::string_view path);
std::string joinPath(const std::string &folder, std::string_view name);

} // namespace cnn::host

#endif // CNN_RUNTIME_HOST_DATA_SOURCE_H
