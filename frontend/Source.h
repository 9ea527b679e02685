// Source files and places in them. A range names its file, so that errors in imported files point there.
#pragma once

#include "llvm/ADT/StringRef.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace cnn {

/// A line and column, both from 1; columns count characters.
struct Position {
  uint32_t line = 1, column = 1;
};

class SourceFile {
public:
  SourceFile(std::string path, std::string text);

  llvm::StringRef path() const { return filePath; }
  llvm::StringRef text() const { return content; }
  Position position(uint32_t offset) const;
  /// The text of a line, counted from 1, without its end.
  llvm::StringRef line(uint32_t number) const;

private:
  std::string filePath, content;
  std::vector<uint32_t> lineStarts;
  /// Every character is one byte: columns need no counting.
  bool ascii = true;
};

/// Bytes [begin, end) of a file; without a file it means no place at all.
struct SourceRange {
  const SourceFile *file = nullptr;
  uint32_t begin = 0, end = 0;

  explicit operator bool() const { return file != nullptr; }
  llvm::StringRef text() const { return file ? file->text().slice(begin, end) : llvm::StringRef(); }
  Position position() const { return file ? file->position(begin) : Position(); }
};

/// From the beginning of `a` to the end of `b`.
inline SourceRange join(SourceRange a, SourceRange b) { return {a.file, a.begin, b.end > a.begin ? b.end : a.end}; }

/// Owns the files that were read, each once.
class SourceManager {
public:
  /// Reads a file, or returns the one read before; null with a reason in `error`.
  const SourceFile *load(llvm::StringRef path, std::string &error);
  const SourceFile *add(std::string path, std::string text);

private:
  std::vector<std::unique_ptr<SourceFile>> files;
};

/// The largest source file that is read, in bytes.
inline constexpr uint64_t kMaxSourceBytes = 64ull << 20;

} // namespace cnn
