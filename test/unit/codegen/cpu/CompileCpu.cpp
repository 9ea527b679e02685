// The CPU as the target of Compile.h.
#include "codegen/cpu/CpuDialect.h"
#include "codegen/cpu/CpuTargetModel.h"
#include "codegen/cpu/Isa.h"
#include "codegen/cpu/Lower.h"
#include "test/unit/codegen/cpu/Compile.h"
#include "test/unit/codegen/cpu/CompileTarget.h"

#include <iostream>

namespace cnn::testing {

const TargetModel &targetModel() {
  cpu::registerCpuTarget();
  return *findTargetModel("cpu");
}

llvm::FailureOr<Program> lowerForTarget(mlir::ModuleOp module, const ProgramOptions &options) {
  cpu::LowerOptions lower;
  static_cast<ProgramOptions &>(lower) = options;
  return cpu::lowerToProgram(module, lower);
}

void prepareRun(int) {}

bool hasAlgorithm(const Program &program, const std::string &algorithm) {
  return llvm::any_of(program.groups, [&](const GroupInfo &group) { return group.algorithm == algorithm; });
}

bool takesAlgorithm(const std::string &algorithm) { return cpu::symbolizeAlgorithm(algorithm).has_value(); }

std::vector<std::string> hostIsas() {
  std::vector<std::string> names;
  for (cpu::Isa isa : cpu::allIsas()) {
    std::string name = cpu::isaInfo(isa).name.str();
    if (cpu::hostSupports(isa))
      names.push_back(name);
    else
      std::cout << "SKIP " << name << ": this machine does not have it\n";
  }
  return names;
}

} // namespace cnn::testing
