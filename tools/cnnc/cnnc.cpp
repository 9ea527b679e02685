// The compiler's command line: finds the subcommand and hands it the rest.
#include "frontend/Diagnostics.h"
#include "tools/cnnc/CommandLine.h"
#include "tools/cnnc/Commands.h"

#include "llvm/ADT/SmallVector.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/raw_ostream.h"

namespace {

struct Command {
  llvm::StringRef name, summary;
  int (*run)(llvm::ArrayRef<std::string>);
};

constexpr Command kCommands[] = {
    {"summary", "layers, shapes, parameters, multiply-adds, workspace, receptive field", cnn::summaryCommand},
    {"run", "computes a network's outputs for pictures or tensors", cnn::runCommand},
    {"build", "writes a library: a header, an archive and a shared library", cnn::buildCommand},
    {"bench", "measures the time, group by group", cnn::benchCommand},
    {"verify", "compares the compiled network with the reference implementation, group by group", cnn::verifyCommand},
    {"train", "trains the networks of a train block", cnn::trainCommand},
    {"eval", "evaluates them: losses and what the block reports", cnn::evalCommand},
    {"predict", "writes the classes of a folder of pictures to a CSV file", cnn::predictCommand},
    {"emit", "prints the network after a stage, or as LLVM IR, assembly or an object file", cnn::emitCommand},
    {"explain", "says what was fused and why not more, and which layout and algorithm each group has",
     cnn::explainCommand},
};

void printHelp(llvm::raw_ostream &stream) {
  stream << "usage: cnnc COMMAND NET [options]\n\nCompiles convolutional networks. NET is FILE.cnn, or FILE.cnn:NAME "
            "where "
            "a file holds several.\n\n";
  for (const Command &command : kCommands)
    stream << llvm::formatv("  {0,-9}{1}", command.name, command.summary) << "\n";
  stream << "\n'cnnc COMMAND --help' lists a command's options.\n";
}

} // namespace

int main(int argc, char **argv) {
  llvm::SmallVector<std::string> arguments(argv + 1, argv + argc);
  if (arguments.empty()) {
    printHelp(llvm::errs());
    return cnn::kUsageError;
  }
  llvm::StringRef name = arguments.front();
  if (name == "--help" || name == "-h" || name == "help") {
    printHelp(llvm::outs());
    return 0;
  }
  if (name == "--version") {
    llvm::outs() << "cnnc " CNN_VERSION "\n";
    return 0;
  }
  llvm::SmallVector<llvm::StringRef> names;
  for (const Command &command : kCommands) {
    if (command.name == name)
      return command.run(llvm::ArrayRef(arguments).drop_front());
    names.push_back(command.name);
  }
  llvm::errs() << "cnnc: unknown command '" << name << "'" << cnn::didYouMean(name, names)
               << "\nUsage: 'cnnc --help' lists the commands.\n";
  return cnn::kUsageError;
}
