// Collects what is wrong with a source text and prints it for people: position, message, the line with a caret, notes.
#pragma once

#include "frontend/Source.h"

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/raw_ostream.h"

#include <string>
#include <vector>

namespace cnn {

struct Note {
  SourceRange range;
  std::string message;
};

struct Diagnostic {
  SourceRange range;
  std::string message;
  std::vector<Note> notes;
  /// How often the same message was met at the same line.
  unsigned count = 1;
};

/// The errors of one run, in the order in which they were met.
class Diagnostics {
public:
  /// Errors beyond this many are counted and not kept.
  static constexpr unsigned kMaxErrors = 20;

  void error(SourceRange range, std::string message, std::vector<Note> notes = {});
  bool hasErrors() const { return !diagnostics.empty(); }
  /// True when further errors would not be shown; work that only looks for more may stop.
  bool isFull() const { return diagnostics.size() >= kMaxErrors; }
  llvm::ArrayRef<Diagnostic> all() const { return diagnostics; }

  /// Prints every error as `file:line:column: error: message`, the source line, a caret, and the notes likewise.
  void render(llvm::raw_ostream &os, bool colour) const;

  /// The files that the ranges point into live as long as the diagnostics.
  SourceManager &sources() { return manager; }

private:
  SourceManager manager;
  std::vector<Diagnostic> diagnostics;
  unsigned dropped = 0;
};

/// The candidate nearest to a misspelt word by edit distance, or an empty string when none is near.
std::string nearest(llvm::StringRef word, llvm::ArrayRef<llvm::StringRef> candidates);

/// `; did you mean 'conv'?` for the nearest candidate, or an empty string.
std::string didYouMean(llvm::StringRef word, llvm::ArrayRef<llvm::StringRef> candidates);

/// `'a', 'b' or 'c'`
std::string listOfNames(llvm::ArrayRef<llvm::StringRef> names, llvm::StringRef last = "or");

} // namespace cnn
