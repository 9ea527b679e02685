// `cnnc build`: a network as a library.
#include "tools/cnnc/Commands.h"
#include "tools/cnnc/Compile.h"
#include "tools/cnnc/Table.h"
#include "tools/cnnc/Target.h"

#include "codegen/package/Package.h"
#include "runtime/host/Json.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"

#include <chrono>

using namespace mlir;

namespace cnn {

int buildCommand(ArrayRef<std::string> arguments) {
  NetworkOptions networkOptions;
  WeightOptions weightOptions;
  std::string folder, targetText = "cpu", weightsPlace = "auto";
  bool exact = false, json = false;
  CommandLine line("cnnc build",
                   "Writes NAME.h, libNAME.a and libNAME.so, with code for several instruction sets, and the "
                   "files that build systems want.");
  networkOptions.declare(line);
  weightOptions.declare(line);
  line.text("output", "DIR", folder, "the folder to write to, made when it is missing; required");
  line.text("target", "TARGET", targetText, "cpu (all of avx512, avx2 and sse) or cpu:ISA,...");
  line.text("weights-in", "WHERE", weightsPlace, "library, file (NAME.weights) or auto: in the library up to 64 MiB");
  line.flag("exact", exact, "no Winograd: an Inf or NaN stays in its window");
  line.flag("json", json, "print one line of JSON");
  if (std::optional<int> code = line.parse(arguments))
    return *code;
  if (folder.empty())
    return line.misuse("'--output' is missing: the folder to write to");
  PackageOptions package;
  package.folder = folder;
  if (weightsPlace == "library")
    package.weights = PackageOptions::Weights::Embedded;
  else if (weightsPlace == "file")
    package.weights = PackageOptions::Weights::Separate;
  else if (weightsPlace != "auto")
    return line.misuse("'--weights-in' is '" + weightsPlace + "': library, file or auto is expected");
  auto choice = TargetChoice::parse(targetText, /*all=*/true);
  if (!choice)
    return line.misuse(choice.error().message);
  if (choice->isReference)
    return line.misuse("target 'reference' cannot be built");

  auto start = std::chrono::steady_clock::now();
  MLIRContext context;
  OwningOpRef<ModuleOp> network = loadNetwork(context, networkOptions);
  if (!network)
    return 1;
  auto weights = Weights::open(*network, weightOptions);
  if (!weights)
    return fail(weights.error().message);
  auto compiled = compile(*network, &*weights, {llvm::to_vector(choice->isas), exact});
  if (!compiled)
    return fail(compiled.error().message);
  const Program &program = (*compiled)->program;
  auto result = writePackage(program, package);
  if (!result)
    return fail(toError(result.takeError()).message);
  std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;

  llvm::SmallVector<std::string> isas;
  for (const Variant &variant : program.variants)
    isas.push_back(variant.name);
  int64_t workspace = program.workspaceBytes + program.fixedBytes;
  if (json) {
    host::JsonWriter writer;
    writer.beginObject().member("network", networkName(*network)).array("files", result->files).array("isa", isas);
    writer.member("workspace_bytes", workspace).member("weights_bytes", program.weightsBytes);
    writer.member("weights_hash", fmt::format("{:016x}", result->weightsHash));
    writer.member("weights_embedded", result->weightsEmbedded).member("compile_s", seconds.count()).endObject();
    llvm::outs() << writer.text() << "\n";
    return 0;
  }
  llvm::outs() << networkName(*network) << " for " << llvm::join(isas, ", ") << ", " << fixed(seconds.count(), 2)
               << " s\n\n";
  Table table({{"file", Table::Align::Left}, {"size", Table::Align::Right}});
  for (const std::string &file : result->files) {
    uint64_t bytes = 0;
    if (llvm::sys::fs::file_size(file, bytes))
      bytes = 0;
    table.add({file, bytesText(static_cast<int64_t>(bytes))});
  }
  table.print(llvm::outs());
  llvm::outs() << "\nweights:   " << bytesText(program.weightsBytes)
               << (program.weightsBytes == 0 ? ""
                   : result->weightsEmbedded ? ", in the library"
                                             : ", in a file of their own")
               << "\nworkspace: " << bytesText(workspace) << " for a batch of 1\n";
  return 0;
}

} // namespace cnn
