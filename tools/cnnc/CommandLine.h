// The command line of one subcommand, declared option by option: parsing, `--help` and error texts with the nearest
// known option all follow from the declaration. Wrong use is exit code 2 everywhere.
#pragma once

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/raw_ostream.h"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace cnn {

/// What a program that was used wrongly returns.
inline constexpr int kUsageError = 2;

class CommandLine {
public:
  /// `command` as the user types it, such as `cnnc run`; the values that options set must outlive parse().
  CommandLine(llvm::StringRef command, llvm::StringRef summary) : command(command), summary(summary) {}

  /// The one argument without a name; required.
  void positional(llvm::StringRef placeholder, std::string &value, llvm::StringRef help);
  void flag(llvm::StringRef name, bool &value, llvm::StringRef help);
  void text(llvm::StringRef name, llvm::StringRef placeholder, std::string &value, llvm::StringRef help);
  /// May be given several times. `check` says what is wrong with a value, or nothing.
  void list(llvm::StringRef name, llvm::StringRef placeholder, std::vector<std::string> &values, llvm::StringRef help,
            std::function<std::string(llvm::StringRef)> check = nullptr);
  /// A whole number from `low` to `high`.
  void number(llvm::StringRef name, llvm::StringRef placeholder, int64_t &value, int64_t low, int64_t high,
              llvm::StringRef help);
  /// A number from `low` to `high`.
  void real(llvm::StringRef name, llvm::StringRef placeholder, std::optional<double> &value, double low, double high,
            llvm::StringRef help);
  void seed(llvm::StringRef name, llvm::StringRef placeholder, std::optional<uint64_t> &value, llvm::StringRef help);

  /// Of these two declared options only one may be given.
  void exclude(llvm::StringRef one, llvm::StringRef other) { exclusions.emplace_back(one.str(), other.str()); }

  /// Sets the values. Returns what the program shall return at once: 0 after --help, 2 after an error, which is then
  /// said on `errors`; nothing when the command is to run.
  std::optional<int> parse(llvm::ArrayRef<std::string> arguments, llvm::raw_ostream &output = llvm::outs(),
                           llvm::raw_ostream &errors = llvm::errs()) const;

  /// Says that the command line is wrong for a reason that only its command knows; returns kUsageError.
  int misuse(const llvm::Twine &message, llvm::raw_ostream &errors = llvm::errs()) const;

private:
  struct Option {
    std::string name;
    std::string placeholder; // empty: takes no value
    std::string help;
    bool repeats = false;
    /// Stores the value; returns what is wrong with it, or an empty string.
    std::function<std::string(llvm::StringRef)> store;
  };

  const Option *find(llvm::StringRef name) const;
  void printHelp(llvm::raw_ostream &stream) const;

  std::string command, summary;
  std::vector<Option> options;
  std::vector<std::pair<std::string, std::string>> exclusions;
  std::optional<Option> argument;
};

} // namespace cnn
