// The table of instruction sets; see Isa.h.
#include "codegen/cpu/Isa.h"

#include "llvm/ADT/StringMap.h"
#include "llvm/TargetParser/Host.h"

using namespace cnn::cpu;

static const IsaInfo kTable[] = {
    {Isa::Sse, "sse", "x86-64-v2", 16, 4},
    {Isa::Avx2, "avx2", "x86-64-v3", 16, 2},
    {Isa::Avx512, "avx512", "x86-64-v4", 32, 1},
};

const IsaInfo &cnn::cpu::isaInfo(Isa isa) { return kTable[static_cast<int>(isa)]; }

std::optional<Isa> cnn::cpu::parseIsa(llvm::StringRef name) {
  for (const IsaInfo &info : kTable)
    if (info.name == name)
      return info.isa;
  return std::nullopt;
}

llvm::ArrayRef<Isa> cnn::cpu::allIsas() {
  static const Isa all[] = {Isa::Avx512, Isa::Avx2, Isa::Sse};
  return all;
}

bool cnn::cpu::hostSupports(Isa isa) {
  // getHostCPUFeatures asks xgetbv too, so that a CPU whose operating system does not save the wide registers has no
  // such feature.
  static const llvm::StringMap<bool> features = llvm::sys::getHostCPUFeatures();
  auto all = [](std::initializer_list<const char *> names) {
    for (const char *name : names)
      if (!features.lookup(name))
        return false;
    return true;
  };
  switch (isa) {
  case Isa::Sse:
    return all({"sse4.2", "popcnt", "ssse3"});
  case Isa::Avx2:
    return all({"avx2", "fma", "bmi", "bmi2", "f16c", "lzcnt", "movbe"});
  case Isa::Avx512:
    return hostSupports(Isa::Avx2) && all({"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"});
  }
  return false;
}
