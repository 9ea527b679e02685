// Any bytes as a source text: the frontend gives a module or errors that render, never a crash, a hang or both at once;
// for networks and for train blocks.
#include "frontend/Training.h"

#include "llvm/Support/raw_ostream.h"

#include <cstdlib>

/// Renders what was reported; it must be there exactly when there is no module.
static void check(bool succeeded, const cnn::Diagnostics &diagnostics, bool colour) {
  std::string rendered;
  llvm::raw_string_ostream os(rendered);
  diagnostics.render(os, colour);
  if (succeeded == diagnostics.hasErrors() || rendered.empty() == diagnostics.hasErrors())
    std::abort();
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
  using namespace cnn;
  // Files are not read: an import would make the outcome depend on the machine.
  std::string text(reinterpret_cast<const char *>(bytes), size);
  for (size_t at = 0; (at = text.find("import", at)) != std::string::npos; ++at)
    text[at] = 'I';
  mlir::MLIRContext context(mlir::MLIRContext::Threading::DISABLED);
  Diagnostics diagnostics, trainDiagnostics;
  auto module = loadNetworkFromText(context, text, {"input.cnn", "", {}}, diagnostics);
  check(bool(module), diagnostics, size % 2 == 0);
  TrainingProgram program = loadTrainingFromText(context, std::move(text), {"input.cnn", "", {}}, trainDiagnostics);
  check(bool(program), trainDiagnostics, size % 2 == 0);
  return 0;
}
