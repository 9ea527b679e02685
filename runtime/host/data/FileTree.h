//===- FileTree.h - The files of a folder or of an archive ----------------===//
//
// The same view of both: paths below the root, sorted, and their contents. An archive that is compressed is unpacked
// into memory once; a plain one is mapped. Nothing is ever written, so paths in an archive can do no harm.
//
//===----------------------------------------------------------------------===//
#ifndef CNN_RUNTIME_HOST_DATA_FILETREE_H
#define CNN_RUNTIME_HOST_DATA_FILETREE_H

#include "runtime/host/File.h"
#include "runtime/host/data/Source.h"

namespace cnn::host {

/// A file's bytes, owned or somebody else's.
struct FileBytes {
  std::vector<uint8_t> owned;
  std::span<const uint8_t> view;
};

class FileTree {
public:
  /// All files below `path`, at most eight folders deep; hidden ones are left out.
  static Result<std::shared_ptr<const FileTree>> ofFolder(const std::string &path);
  /// A tar (ustar, GNU, pax), plain or with gzip. Folders around everything are taken away.
  static Result<std::shared_ptr<const FileTree>> ofArchive(const std::string &path);
  /// These files as one tree; the paths are as given.
  static std::shared_ptr<const FileTree> ofFiles(std::vector<std::string> paths);

  /// Relative paths, sorted bytewise.
  const std::vector<std::string> &paths() const { return files; }
  /// Of folders, relative; sorted.
  const std::vector<std::string> &folders() const { return directories; }
  const std::string &root() const { return rootPath; }
  /// "data/train/cat/1.png", or "data.tar.gz:train/cat/1.png".
  std::string display(std::string_view path) const;
  Result<FileBytes> read(size_t file) const;
  uint64_t memoryBytes() const { return blob.size(); }

private:
  struct Extent {
    uint64_t offset = 0, size = 0;
  };

  std::string rootPath;
  std::string prefix; // in front of each path in messages
  std::vector<std::string> files, directories;
  // Archives only:
  bool archive = false;
  std::vector<Extent> extents;
  std::vector<uint8_t> blob;
  std::optional<MappedFile> mapped; // of a plain archive
};

} // namespace cnn::host

#endif // CNN_RUNTIME_HOST_DATA_FILETREE_H
