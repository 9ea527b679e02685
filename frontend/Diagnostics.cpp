// Rendering of diagnostics, and suggestions for misspelt names.
#include "frontend/Diagnostics.h"

#include <algorithm>

namespace cnn {

void Diagnostics::error(SourceRange range, std::string message, std::vector<Note> notes) {
  uint32_t line = range.position().line;
  for (Diagnostic &known : diagnostics)
    if (known.range.file == range.file && known.message == message && known.range.position().line == line) {
      ++known.count;
      return;
    }
  if (isFull()) {
    ++dropped;
    return;
  }
  diagnostics.push_back({range, std::move(message), std::move(notes)});
}

namespace {

/// Characters of a source line that are shown, so that a file without line ends does not flood the terminal.
constexpr size_t kShownColumns = 120;

size_t characterBytes(llvm::StringRef text, size_t i) {
  size_t n = 1;
  while (i + n < text.size() && (static_cast<unsigned char>(text[i + n]) & 0xC0) == 0x80)
    ++n;
  return n;
}

/// The line and a caret below the range's first character; tabs stay, so that the caret stands right.
void renderExcerpt(llvm::raw_ostream &os, SourceRange range, bool colour) {
  Position position = range.position();
  llvm::StringRef line = range.file->line(position.line);
  size_t column = position.column - 1;
  size_t first = column > kShownColumns * 3 / 4 ? column - kShownColumns / 2 : 0;
  std::string shown, below;
  size_t character = 0, lastShown = 0;
  for (size_t i = 0; i < line.size(); ++character) {
    size_t n = characterBytes(line, i);
    if (character >= first && character < first + kShownColumns) {
      llvm::StringRef glyph = line.substr(i, n);
      bool control = n == 1 && static_cast<unsigned char>(glyph[0]) < 0x20 && glyph[0] != '\t';
      bool broken = n == 1 && static_cast<unsigned char>(glyph[0]) >= 0x7F;
      shown += control || broken ? "?" : glyph.str();
      if (character < column)
        below += glyph == "\t" ? '\t' : ' ';
      lastShown = character;
    }
    i += n;
  }
  below += '^';
  uint32_t endColumn = position.column;
  if (range.end > range.begin) {
    Position end = range.file->position(range.end);
    endColumn = end.line == position.line ? end.column : character + 1;
  }
  for (size_t c = column + 1; c + 1 < endColumn && c <= lastShown; ++c)
    below += '~';
  os << "  " << (first ? "..." : "") << shown << (character > first + kShownColumns ? "..." : "") << "\n  "
     << (first ? "   " : "");
  if (colour)
    os << "\033[1;32m";
  os << below;
  if (colour)
    os << "\033[0m";
  os << '\n';
}

void renderLine(llvm::raw_ostream &os, SourceRange range, llvm::StringRef kind, llvm::StringRef message, bool colour) {
  if (colour)
    os << "\033[1m";
  if (range) {
    Position position = range.position();
    os << range.file->path() << ':' << position.line << ':' << position.column << ": ";
  }
  if (colour)
    os << (kind == "error" ? "\033[1;31m" : "\033[1;36m");
  os << kind << ": ";
  if (colour)
    os << (kind == "error" ? "\033[0;1m" : "\033[0m");
  os << message;
  if (colour)
    os << "\033[0m";
  os << '\n';
  if (range)
    renderExcerpt(os, range, colour);
}

} // namespace

void Diagnostics::render(llvm::raw_ostream &os, bool colour) const {
  for (const Diagnostic &d : diagnostics) {
    std::string message = d.message;
    if (d.count > 1)
      message += " (" + std::to_string(d.count) + " times)";
    renderLine(os, d.range, "error", message, colour);
    for (const Note &note : d.notes)
      renderLine(os, note.range, "note", note.message, colour);
  }
  if (dropped)
    os << dropped << (dropped == 1 ? " further error is" : " further errors are") << " not shown\n";
}

std::string nearest(llvm::StringRef word, llvm::ArrayRef<llvm::StringRef> candidates) {
  std::string best;
  // Two letters swapped are two edits.
  unsigned bestDistance = (word.size() < 4 ? 1 : std::max<unsigned>(2, word.size() / 3)) + 1;
  for (llvm::StringRef candidate : candidates) {
    unsigned distance = word.edit_distance_insensitive(candidate, /*AllowReplacements=*/true, bestDistance);
    if (distance < bestDistance && distance < candidate.size()) {
      bestDistance = distance;
      best = candidate.str();
    }
  }
  return best;
}

std::string didYouMean(llvm::StringRef word, llvm::ArrayRef<llvm::StringRef> candidates) {
  std::string best = nearest(word, candidates);
  return best.empty() ? "" : "; did you mean '" + best + "'?";
}

std::string listOfNames(llvm::ArrayRef<llvm::StringRef> names, llvm::StringRef last) {
  std::string text;
  for (size_t i = 0; i < names.size(); ++i) {
    if (i)
      text += i + 1 == names.size() ? " " + last.str() + " " : ", ";
    text += "'" + names[i].str() + "'";
  }
  return text;
}

} // namespace cnn
