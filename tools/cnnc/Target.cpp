// Chooses the target that `--target` names; Target.h has the contract.
#include "tools/cnnc/Target.h"

#include "codegen/cuda/Architecture.h"
#include "frontend/Diagnostics.h"
#include "runtime/host/Cpus.h"

#include "llvm/ADT/StringSwitch.h"

using namespace mlir;

namespace cnn {

/// Of this process, whose command line is parsed once; a program that parses none has no cache.
static bool hasCacheOption = false, noCache = false;
static std::string precisionText;

const CodeCache *codeCache() {
  static const std::optional<CodeCache> cache = CodeCache::ofUser();
  return hasCacheOption && !noCache && cache ? &*cache : nullptr;
}

void TargetOptions::declare(CommandLine &line) {
  hasCacheOption = true;
  line.flag("no-cache", noCache, "compile, even what the cache of an earlier run has");
  line.text("target", "TARGET", target, kTargetHelp + std::string(", or reference"));
  declarePrecision(line);
  line.number("threads", "N", threads, 1, 256, "threads (all CPUs that this process may use)");
  line.flag("exact", exact, "no Winograd: an Inf or NaN stays in its window");
}

void declarePrecision(CommandLine &line) {
  line.text("precision", "PRECISION", precisionText,
            "what contractions multiply in on CUDA devices, with sums in fp32: fp32, tf32, f16 or bf16 (tf32)");
}

CompileOptions TargetChoice::compileOptions(bool exact) const {
  CompileOptions options;
  options.isas = llvm::to_vector(isas);
  options.architectures = llvm::to_vector(architectures);
  options.isEmulated = isEmulated;
  options.precision = precision;
  options.scalesLoss = scalesLoss;
  options.exact = exact;
  return options;
}

static constexpr const char kEmulated[] = "cuda-emulated";

/// Adds the architecture without features of its own alone of each generation whose code would run on nothing later:
/// GPUs to come run that.
static void addPortable(std::vector<const cuda::Architecture *> &architectures) {
  for (const cuda::Architecture *special : std::vector(architectures)) {
    auto isPortable = [&](const cuda::Architecture &other) {
      return !other.exclusive && other.capability >= special->capability;
    };
    if (llvm::any_of(architectures, [&](const cuda::Architecture *asked) { return isPortable(*asked); }))
      continue;
    for (const cuda::Architecture &other : cuda::allArchitectures())
      if (isPortable(other) && other.capability == special->capability)
        architectures.push_back(&other);
  }
}

/// The architectures of `cuda:LIST`.
static host::Result<TargetChoice> parseArchitectures(StringRef text, bool all) {
  TargetChoice choice;
  auto [name, list] = text.split(':');
  choice.isEmulated = name == kEmulated;
  for (StringRef word : llvm::split(text.contains(':') ? list : "sm_80", ',')) {
    const cuda::Architecture *architecture = cuda::findArchitecture(word);
    if (!architecture)
      return host::makeError("there is no architecture '{}'{}; there are {}", word.str(),
                             didYouMean(word, cuda::architectureNames()),
                             listOfNames(cuda::architectureNames(), "and"));
    if (llvm::is_contained(choice.architectures, architecture))
      return host::makeError("architecture '{}' is named twice", word.str());
    choice.architectures.push_back(architecture);
  }
  if (all)
    addPortable(choice.architectures);
  // They are entries of one table, which has the most capable first.
  llvm::sort(choice.architectures);
  return choice;
}

static host::Result<TargetChoice> parseTarget(StringRef text, bool all) {
  TargetChoice choice;
  auto [name, list] = text.split(':');
  SmallVector<StringRef> isaNames;
  for (cpu::Isa isa : cpu::allIsas())
    isaNames.push_back(cpu::isaInfo(isa).name);
  if (text == "reference") {
    choice.isReference = true;
    return choice;
  }
  if (name == "cuda" || name == kEmulated)
    return parseArchitectures(text, all);
  // Who names what belongs after a target's colon.
  std::string whole = cpu::parseIsa(name) ? "cpu:" : cuda::findArchitecture(name) ? "cuda:" : "";
  if (!whole.empty())
    return host::makeError("there is no target '{0}'; did you mean '{1}{0}'?", text.str(), whole);
  if (name != "cpu")
    return host::makeError("there is no target '{}'{}; targets are 'cpu', 'cpu:{}', 'cuda', 'cuda:ARCHITECTURE,...', "
                           "'{}' and 'reference'",
                           name.str(), didYouMean(name, {"cpu", "cuda", kEmulated, "reference"}),
                           llvm::join(isaNames, ","), kEmulated);
  if (!text.contains(':')) {
    for (cpu::Isa isa : cpu::allIsas())
      if (all || (choice.isas.empty() && cpu::hostSupports(isa)))
        choice.isas.push_back(isa);
    return choice;
  }
  for (StringRef word : llvm::split(list, ',')) {
    std::optional<cpu::Isa> isa = cpu::parseIsa(word);
    if (!isa)
      return host::makeError("there is no instruction set '{}'{}; there are {}", word.str(), didYouMean(word, isaNames),
                             listOfNames(isaNames, "and"));
    if (llvm::is_contained(choice.isas, *isa))
      return host::makeError("instruction set '{}' is named twice", word.str());
    choice.isas.push_back(*isa);
  }
  // The most capable first, as everywhere.
  llvm::sort(choice.isas,
             [](cpu::Isa a, cpu::Isa b) { return llvm::find(cpu::allIsas(), a) < llvm::find(cpu::allIsas(), b); });
  return choice;
}

/// `cpu:LIST,cuda:LIST`: where the second target begins, or the end.
static size_t secondTarget(StringRef text) {
  for (size_t comma = text.find(','); comma != StringRef::npos; comma = text.find(',', comma + 1)) {
    StringRef word = text.substr(comma + 1).split(',').first.split(':').first;
    if (word == "cpu" || word == "cuda")
      return comma;
  }
  return text.size();
}

/// One target, or a library's two.
static host::Result<TargetChoice> parseTargets(StringRef text, bool all) {
  const size_t end = secondTarget(text);
  auto first = parseTarget(text.take_front(end), all);
  if (!first || end == text.size())
    return first;
  auto second = parseTarget(text.substr(end + 1), all);
  if (!second)
    return second;
  if (!all)
    return host::makeError("'{}' are two targets: they are for libraries, 'cnnc build'", text.str());
  if (first->isas.empty() == second->isas.empty() || first->isEmulated || second->isEmulated)
    return host::makeError("'{}': 'cpu' and 'cuda', each once, can be in a library together", text.str());
  TargetChoice &cpu = first->isas.empty() ? *second : *first, &cuda = first->isas.empty() ? *first : *second;
  cpu.architectures = std::move(cuda.architectures);
  return std::move(cpu);
}

std::vector<TargetChoice> TargetChoice::parts() const {
  if (isas.empty() || architectures.empty())
    return {*this};
  std::vector<TargetChoice> parts = {*this, *this};
  parts[0].architectures.clear();
  parts[1].isas.clear();
  return parts;
}

host::Result<TargetChoice> TargetChoice::parse(StringRef text, bool all) {
  auto choice = parseTargets(text, all);
  if (!choice || precisionText.empty())
    return choice;
  if (!choice->isCuda())
    return host::makeError("'--precision' is for the target 'cuda': others compute in fp32");
  const auto precision = llvm::StringSwitch<std::optional<Precision>>(precisionText)
                             .Case("fp32", Precision::F32)
                             .Case("tf32", Precision::TF32)
                             .Case("f16", Precision::F16)
                             .Case("bf16", Precision::BF16)
                             .Default(std::nullopt);
  if (!precision)
    return host::makeError("there is no precision '{}'{}; there are fp32, tf32, f16 and bf16", precisionText,
                           didYouMean(precisionText, {"fp32", "tf32", "f16", "bf16"}));
  choice->precision = *precision;
  return choice;
}

host::Result<std::unique_ptr<Target>> createTarget(ModuleOp network, const Weights &weights,
                                                   const TargetOptions &options) {
  auto choice = TargetChoice::parse(options.target, /*all=*/false);
  if (!choice)
    return choice.error();
  int64_t threads = options.threads ? options.threads : host::usableCpus();
  if (choice->isReference)
    return createReferenceTarget(network, weights, threads);
  return createCompiledTarget(network, weights, *choice, threads, options.exact);
}

} // namespace cnn
