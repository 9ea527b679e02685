// Any bytes as a source text: the frontend gives a module or errors that render, never a crash, a hang or both at once.
#include "frontend/Frontend.h"

#include "llvm/Support/raw_ostream.h"

#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
  using namespace cnn;
  // Files are not read: an import would make the outcome depend on the machine.
  std::string text(reinterpret_cast<const char *>(bytes), size);
  for (size_t at = 0; (at = text.find("import", at)) != std::string::npos; ++at)
    text[at] = 'I';
  mlir::MLIRContext context(mlir::MLIRContext::Threading::DISABLED);
  Diagnostics diagnostics;
  auto module = loadNetworkFromText(context, std::move(text), {"input.cnn", "", {}}, diagnostics);
  std::string rendered;
  llvm::raw_string_ostream os(rendered);
  diagnostics.render(os, /*colour=*/size % 2 == 0);
  if (bool(module) == diagnostics.hasErrors() || rendered.empty() == diagnostics.hasErrors())
    std::abort();
  return 0;
}
