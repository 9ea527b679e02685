// Reading source files and finding lines in them.
#include "frontend/Source.h"

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"

#include <algorithm>

namespace cnn {

SourceFile::SourceFile(std::string path, std::string text) : filePath(std::move(path)), content(std::move(text)) {
  lineStarts.push_back(0);
  for (uint32_t i = 0; i < content.size(); ++i) {
    if (content[i] == '\n')
      lineStarts.push_back(i + 1);
    ascii &= static_cast<unsigned char>(content[i]) < 0x80;
  }
}

Position SourceFile::position(uint32_t offset) const {
  offset = std::min<uint32_t>(offset, content.size());
  auto next = std::upper_bound(lineStarts.begin(), lineStarts.end(), offset);
  uint32_t line = next - lineStarts.begin(), start = lineStarts[line - 1], column = 1;
  if (ascii)
    return {line, offset - start + 1};
  for (uint32_t i = start; i < offset; ++i)
    column += (static_cast<unsigned char>(content[i]) & 0xC0) != 0x80; // continuation bytes of UTF-8 are no characters
  return {line, column};
}

llvm::StringRef SourceFile::line(uint32_t number) const {
  if (number == 0 || number > lineStarts.size())
    return {};
  llvm::StringRef rest = llvm::StringRef(content).drop_front(lineStarts[number - 1]);
  return rest.substr(0, rest.find('\n')).rtrim('\r');
}

const SourceFile *SourceManager::load(llvm::StringRef path, std::string &error) {
  for (const auto &file : files)
    if (file->path() == path)
      return file.get();
  llvm::sys::fs::file_status status;
  if (std::error_code code = llvm::sys::fs::status(path, status)) {
    error = code.message();
    return nullptr;
  }
  bool readable =
      status.type() == llvm::sys::fs::file_type::regular_file || status.type() == llvm::sys::fs::file_type::fifo_file;
  if (!readable) {
    error =
        status.type() == llvm::sys::fs::file_type::directory_file ? "it is a directory" : "it is not a regular file";
    return nullptr;
  }
  if (status.getSize() > kMaxSourceBytes) {
    error = "it is larger than 64 MiB";
    return nullptr;
  }
  auto buffer = llvm::MemoryBuffer::getFile(path, /*IsText=*/false, /*RequiresNullTerminator=*/false);
  if (!buffer) {
    error = buffer.getError().message();
    return nullptr;
  }
  if ((*buffer)->getBufferSize() > kMaxSourceBytes) {
    error = "it is larger than 64 MiB";
    return nullptr;
  }
  return add(path.str(), (*buffer)->getBuffer().str());
}

const SourceFile *SourceManager::add(std::string path, std::string text) {
  files.push_back(std::make_unique<SourceFile>(std::move(path), std::move(text)));
  return files.back().get();
}

} // namespace cnn
