// Parses a subcommand's arguments against its declaration; CommandLine.h has the contract.
#include "tools/cnnc/CommandLine.h"

#include "frontend/Diagnostics.h"

#include "runtime/host/Csv.h"
#include "llvm/ADT/SmallVector.h"

#include "llvm/ADT/StringSet.h"
#include "llvm/ADT/StringSwitch.h"
#include "llvm/ADT/Twine.h"
#include "llvm/Support/FormatVariadic.h"

#include <algorithm>

using namespace llvm;

namespace cnn {

/// The name here of an option that other tools have, for each command that has it; empty where there is none.
static std::string otherName(StringRef name) {
  return StringSwitch<std::string>(name)
      .Cases({"lr", "rate", "learning_rate"}, "learning-rate")
      .Cases({"o", "out"}, "output")
      .Cases({"i", "in", "image"}, "input")
      .Cases({"w", "model"}, "weights")
      .Cases({"b", "bs", "batch-size", "batch_size"}, "batch")
      .Cases({"e", "n-epochs", "num-epochs"}, "epochs")
      .Cases({"j", "jobs", "num-threads"}, "threads")
      .Cases({"device", "arch", "march"}, "target")
      .Cases({"val", "validation-split"}, "validation")
      .Cases({"dtype", "half"}, "precision")
      .Default("");
}

void CommandLine::positional(StringRef placeholder, std::string &value, StringRef help) {
  argument = Option{placeholder.str(), placeholder.str(), help.str(), false, [&value](StringRef text) {
                      value = text.str();
                      return std::string();
                    }};
}

void CommandLine::flag(StringRef name, bool &value, StringRef help) {
  options.push_back({name.str(), "", help.str(), true, [&value](StringRef) {
                       value = true;
                       return std::string();
                     }});
}

void CommandLine::text(StringRef name, StringRef placeholder, std::string &value, StringRef help) {
  options.push_back({name.str(), placeholder.str(), help.str(), false, [&value](StringRef text) {
                       value = text.str();
                       return std::string(text.empty() ? "an empty value" : "");
                     }});
}

void CommandLine::list(StringRef name, StringRef placeholder, std::vector<std::string> &values, StringRef help,
                       std::function<std::string(StringRef)> check) {
  options.push_back(
      {name.str(), placeholder.str(), help.str(), true, [&values, check = std::move(check)](StringRef text) {
         values.push_back(text.str());
         return text.empty() ? std::string("an empty value") : check ? check(text) : std::string();
       }});
}

void CommandLine::number(StringRef name, StringRef placeholder, int64_t &value, int64_t low, int64_t high,
                         StringRef help) {
  options.push_back(
      {name.str(), placeholder.str(), help.str(), false, [&value, low, high](StringRef text) {
         int64_t parsed = 0;
         if (!text.getAsInteger(10, parsed) && parsed >= low && parsed <= high) {
           value = parsed;
           return std::string();
         }
         return (Twine("a whole number from ") + Twine(low) + " to " + Twine(high) + " is expected").str();
       }});
}

void CommandLine::real(StringRef name, StringRef placeholder, std::optional<double> &value, double low, double high,
                       StringRef help) {
  options.push_back({name.str(), placeholder.str(), help.str(), false, [&value, low, high](StringRef text) {
                       double parsed = 0;
                       if (!text.getAsDouble(parsed) && parsed >= low && parsed <= high) {
                         value = parsed;
                         return std::string();
                       }
                       return llvm::formatv("a number from {0} to {1} is expected", host::csvNumber(low),
                                            host::csvNumber(high))
                           .str();
                     }});
}

void CommandLine::seed(StringRef name, StringRef placeholder, std::optional<uint64_t> &value, StringRef help) {
  options.push_back({name.str(), placeholder.str(), help.str(), false, [&value](StringRef text) {
                       uint64_t parsed = 0;
                       if (text.getAsInteger(10, parsed))
                         return std::string("a whole number from 0 to 2^64 - 1 is expected");
                       value = parsed;
                       return std::string();
                     }});
}

const CommandLine::Option *CommandLine::find(StringRef name) const {
  auto found = std::find_if(options.begin(), options.end(), [&](const Option &option) { return option.name == name; });
  return found == options.end() ? nullptr : &*found;
}

int CommandLine::misuse(const Twine &message, raw_ostream &errors) const {
  errors << command << ": " << message << "\nUsage: '" << command << " --help' lists the options.\n";
  return kUsageError;
}

std::optional<int> CommandLine::parse(ArrayRef<std::string> arguments, raw_ostream &output, raw_ostream &errors) const {
  StringSet<> seen;
  bool haveArgument = false, optionsEnded = false;
  for (size_t i = 0; i < arguments.size(); ++i) {
    StringRef word = arguments[i];
    if (!optionsEnded && word == "--") {
      optionsEnded = true;
      continue;
    }
    if (!optionsEnded && (word == "-h" || word == "--help")) {
      printHelp(output);
      return 0;
    }
    if (optionsEnded || !word.starts_with("-") || word == "-") {
      if (!argument || haveArgument)
        return misuse("unexpected argument '" + word + "'", errors);
      argument->store(word);
      haveArgument = true;
      continue;
    }
    bool hasValue = word.contains('=');
    auto [name, value] = word.drop_front(word.starts_with("--") ? 2 : 1).split('=');
    const Option *option = word.starts_with("--") ? find(name) : nullptr;
    if (!option) {
      std::vector<std::string> known{"--help"};
      for (const Option &candidate : options)
        known.push_back("--" + candidate.name);
      std::string spelt = otherName(name);
      spelt = !spelt.empty() && find(spelt)
                  ? "; did you mean '--" + spelt + "'?"
                  : didYouMean(("--" + name).str(), llvm::SmallVector<StringRef>(known.begin(), known.end()));
      return misuse("unknown option '" + word.split('=').first + "'" + spelt, errors);
    }
    if (!seen.insert(name).second && !option->repeats)
      return misuse("'--" + name + "' is given twice", errors);
    if (option->placeholder.empty()) {
      if (hasValue)
        return misuse("'--" + name + "' takes no value", errors);
    } else if (!hasValue) {
      if (i + 1 == arguments.size())
        return misuse("'--" + name + "' needs a value: --" + name + " " + option->placeholder, errors);
      value = arguments[++i];
    }
    std::string problem = option->store(value);
    if (!problem.empty())
      return misuse("'--" + name + "' is '" + value + "': " + problem, errors);
  }
  for (const auto &[one, other] : exclusions)
    if (seen.contains(one) && seen.contains(other))
      return misuse("'--" + llvm::Twine(one) + "' and '--" + other + "' exclude each other", errors);
  if (argument && !haveArgument)
    return misuse("'" + argument->placeholder + "' is missing: " + argument->help, errors);
  return std::nullopt;
}

void CommandLine::printHelp(raw_ostream &stream) const {
  stream << "usage: " << command;
  if (argument)
    stream << " " << argument->placeholder;
  stream << " [options]\n\n" << summary << "\n\n";
  auto left = [](const Option &option) {
    return "--" + option.name + (option.placeholder.empty() ? "" : " " + option.placeholder);
  };
  size_t width = argument ? argument->placeholder.size() : 0;
  for (const Option &option : options)
    width = std::max(width, left(option).size());
  auto print = [&](StringRef term, StringRef help) {
    stream << "  " << term;
    stream.indent(static_cast<unsigned>(width - term.size() + 2)) << help << "\n";
  };
  if (argument)
    print(argument->placeholder, argument->help);
  for (const Option &option : options)
    print(left(option), option.help);
}

} // namespace cnn
