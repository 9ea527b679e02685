// The link-time optimizer, which lld brings along, registers Polly, of which Debian has no archive. Only objects are
// linked here, never bitcode, so that a Polly without passes is all that it takes.
#include "llvm/Plugins/PassPlugin.h"

llvm::PassPluginLibraryInfo getPollyPluginInfo();

llvm::PassPluginLibraryInfo getPollyPluginInfo() {
  return {LLVM_PLUGIN_API_VERSION, "no Polly", LLVM_VERSION_STRING, [](llvm::PassBuilder &) {}};
}
