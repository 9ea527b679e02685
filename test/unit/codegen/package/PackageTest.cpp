// Packages: which files, which symbols, equal bytes, and what is refused.
#include "test/unit/codegen/package/TinyProgram.h"

#include "codegen/package/CheckProgram.h"
#include "codegen/package/Header.h"
#include "codegen/package/MachineCode.h"
#include "codegen/package/Package.h"
#include "ir/CnnOps.h"
#include "runtime/embedded/cnn_abi.h"
#include "runtime/host/File.h"

#include "llvm/ADT/StringSet.h"
#include "llvm/Object/Archive.h"
#include "llvm/Object/ELFObjectFile.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <dlfcn.h>
#include <set>

using namespace cnn;
using testing::HasSubstr;

namespace {

struct Folder {
  llvm::SmallString<64> path;
  Folder() { EXPECT_FALSE(llvm::sys::fs::createUniqueDirectory("cnn-package-test", path)); }
  ~Folder() { llvm::sys::fs::remove_directories(path); }
  std::string file(const std::string &name) const { return path.str().str() + "/" + name; }
};

std::string contents(const std::string &path) {
  auto bytes = host::readFile(path);
  EXPECT_TRUE(bool(bytes)) << path;
  return bytes ? std::string(bytes->begin(), bytes->end()) : std::string();
}

PackageResult write(const Program &program, const Folder &folder,
                    PackageOptions::Weights weights = PackageOptions::Weights::Automatic) {
  auto result = writePackage(program, {folder.path.str().str(), weights});
  if (!result) {
    ADD_FAILURE() << llvm::toString(result.takeError());
    return {};
  }
  return *result;
}

struct Symbols {
  std::set<std::string> defined, undefined;
};

template <class Range> Symbols symbolsOf(Range range) {
  Symbols result;
  for (const llvm::object::ELFSymbolRef symbol : range) {
    uint32_t flags = llvm::cantFail(symbol.getFlags());
    std::string name = llvm::cantFail(symbol.getName()).split('@').first.str();
    if (name.empty() || !(flags & llvm::object::SymbolRef::SF_Global))
      continue;
    (flags & llvm::object::SymbolRef::SF_Undefined ? result.undefined : result.defined).insert(name);
  }
  return result;
}

std::set<std::string> api(const std::string &name) {
  std::set<std::string> result;
  for (const char *function : {"model_bytes", "model_init", "model_end", "isa", "session_bytes", "session_init",
                               "session_pool", "session_end", "session_on_group", "group", "run", "error"})
    result.insert(name + "_" + function);
  return result;
}

void expectOnlyLibc(const std::set<std::string> &undefined) {
  void *libc = dlopen("libc.so.6", RTLD_NOW | RTLD_NOLOAD);
  ASSERT_NE(libc, nullptr);
  EXPECT_FALSE(undefined.empty());
  for (const std::string &name : undefined)
    EXPECT_TRUE(name == "_GLOBAL_OFFSET_TABLE_" || dlsym(libc, name.c_str())) << name << " is no symbol of libc";
  for (const char *allocator : {"malloc", "calloc", "realloc", "free", "aligned_alloc", "posix_memalign"})
    EXPECT_FALSE(undefined.contains(allocator));
  dlclose(libc);
}

TEST(Package, HasItsFiles) {
  Folder folder;
  PackageResult result = write(tiny::makeProgram(), folder);
  EXPECT_TRUE(result.weightsEmbedded);
  std::vector<std::string> wanted;
  for (const char *name : {"tiny.h", "libtiny.a", "libtiny.so", "tiny.pc", "tinyConfig.cmake",
                           "tinyConfigVersion.cmake", "tiny_smoke_test.c"})
    wanted.push_back(folder.file(name));
  EXPECT_EQ(result.files, wanted);
  for (const std::string &file : wanted)
    EXPECT_FALSE(contents(file).empty()) << file;
  size_t count = 0;
  std::error_code code;
  for (llvm::sys::fs::directory_iterator entry(folder.path, code), end; entry != end; entry.increment(code))
    ++count;
  EXPECT_EQ(count, wanted.size()) << "something else was left in the folder";
}

TEST(Package, SharedLibraryShowsTheApiAndNeedsLibcAlone) {
  Folder folder;
  write(tiny::makeProgram(), folder);
  auto buffer = llvm::cantFail(llvm::errorOrToExpected(llvm::MemoryBuffer::getFile(folder.file("libtiny.so"))));
  auto object = llvm::cantFail(llvm::object::ObjectFile::createELFObjectFile(*buffer));
  auto *elf = llvm::cast<llvm::object::ELF64LEObjectFile>(object.get());
  Symbols symbols = symbolsOf(elf->getDynamicSymbolIterators());
  EXPECT_EQ(symbols.defined, api("tiny"));
  expectOnlyLibc(symbols.undefined);

  llvm::StringRef strings;
  std::vector<std::string> needed;
  auto entries = llvm::cantFail(elf->getELFFile().dynamicEntries());
  for (const auto &entry : entries)
    if (entry.getTag() == llvm::ELF::DT_STRTAB)
      strings = reinterpret_cast<const char *>(llvm::cantFail(elf->getELFFile().toMappedAddr(entry.getPtr())));
  const char *table = strings.data();
  for (const auto &entry : entries) {
    if (entry.getTag() == llvm::ELF::DT_NEEDED)
      needed.push_back(table + entry.getVal());
    EXPECT_NE(entry.getTag(), uint64_t(llvm::ELF::DT_TEXTREL));
  }
  EXPECT_EQ(needed, std::vector<std::string>{"libc.so.6"});
}

TEST(Package, StaticLibraryShowsTheApiAlone) {
  Folder folder;
  write(tiny::makeProgram(), folder);
  auto buffer = llvm::cantFail(llvm::errorOrToExpected(llvm::MemoryBuffer::getFile(folder.file("libtiny.a"))));
  auto archive = llvm::cantFail(llvm::object::Archive::create(*buffer));
  EXPECT_TRUE(archive->hasSymbolTable());
  llvm::Error error = llvm::Error::success();
  int members = 0;
  for (const auto &member : archive->children(error)) {
    ++members;
    auto binary = llvm::cantFail(member.getAsBinary());
    auto *object = llvm::cast<llvm::object::ELFObjectFileBase>(binary.get());
    Symbols symbols = symbolsOf(object->symbols());
    EXPECT_EQ(symbols.defined, api("tiny"));
    expectOnlyLibc(symbols.undefined);
    // One symbol a kernel and instruction set, for profiles.
    std::set<std::string> locals;
    for (const auto &symbol : object->symbols())
      locals.insert(llvm::cantFail(symbol.getName()).str());
    for (const char *isa : {"avx512", "avx2", "sse"})
      for (int step = 0; step < 3; ++step)
        EXPECT_TRUE(locals.contains("tiny.step" + std::to_string(step) + "." + isa));
  }
  EXPECT_FALSE(bool(error));
  EXPECT_EQ(members, 1);
}

TEST(Package, TwoBuildsAreEqual) {
  tiny::Options options;
  options.steps = 12;
  options.adds = 900; // so that modules are cut into parts
  for (auto weights : {PackageOptions::Weights::Embedded, PackageOptions::Weights::Separate}) {
    Folder first, second;
    PackageResult a = write(tiny::makeProgram(options), first, weights);
    PackageResult b = write(tiny::makeProgram(options), second, weights);
    ASSERT_EQ(a.files.size(), b.files.size());
    for (size_t i = 0; i < a.files.size(); ++i) {
      EXPECT_EQ(llvm::StringRef(a.files[i]).rsplit('/').second, llvm::StringRef(b.files[i]).rsplit('/').second);
      EXPECT_TRUE(contents(a.files[i]) == contents(b.files[i])) << a.files[i];
    }
  }
}

TEST(Package, LargeWeightsGoToTheirOwnFile) {
  tiny::Options options;
  options.extraWeightBytes = kEmbeddedWeightsLimit;
  Folder folder;
  PackageResult result = write(tiny::makeProgram(options), folder);
  EXPECT_FALSE(result.weightsEmbedded);
  std::string weights = contents(folder.file("tiny.weights"));
  EXPECT_EQ(weights.size(), CNN_WEIGHTS_HEADER_BYTES + 64 + size_t(kEmbeddedWeightsLimit));
  EXPECT_LT(contents(folder.file("libtiny.so")).size(), 200000u);
  EXPECT_THAT(contents(folder.file("tiny.h")), HasSubstr("#define TINY_WEIGHTS_EMBEDDED 0\n"));
}

TEST(Package, WhatCannotBeWrittenIsAnError) {
  Folder folder;
  ASSERT_TRUE(bool(host::writeFile(folder.file("taken"), std::string_view("x"))));
  auto result = writePackage(tiny::makeProgram(), {folder.file("taken"), {}});
  ASSERT_FALSE(bool(result));
  EXPECT_THAT(llvm::toString(result.takeError()), HasSubstr("cannot create the folder"));
  EXPECT_EQ(contents(folder.file("taken")), "x");
}

std::string checkMessage(const Program &program) {
  llvm::Error error = checkProgram(program);
  return error ? llvm::toString(std::move(error)) : "fine";
}

TEST(CheckProgram, NamesTheRuleThatIsBroken) {
  auto broken = [](auto change) {
    Program program = tiny::makeProgram();
    change(program);
    return checkMessage(program);
  };
  EXPECT_EQ(broken([](Program &) {}), "fine");
  EXPECT_THAT(broken([](Program &p) { p.name = "3d"; }), HasSubstr("'3d' cannot be the name of a library"));
  EXPECT_THAT(broken([](Program &p) { p.name = "register"; }), HasSubstr("no identifier"));
  EXPECT_THAT(broken([](Program &p) { p.workspaceBytes = 65; }), HasSubstr("no multiple of 64"));
  EXPECT_THAT(broken([](Program &p) { p.variants.clear(); }), HasSubstr("no instruction set"));
  EXPECT_THAT(broken([](Program &p) { p.streamWeights = nullptr; }), HasSubstr("nothing that gives the weights"));
  EXPECT_THAT(broken([](Program &p) { p.steps[1].group = 9; }), HasSubstr("step 1 is of no group"));
  EXPECT_THAT(broken([](Program &p) { p.steps[1].kernels.pop_back(); }), HasSubstr("2 kernels for 3 instruction sets"));
  EXPECT_THAT(broken([](Program &p) { p.steps[0].kernels[1].symbol = "gone"; }),
              HasSubstr("no kernel 'gone' for avx2"));
  EXPECT_THAT(broken([](Program &p) { p.steps[0].kernels[1].grain = 0; }), HasSubstr("negative units"));
  EXPECT_THAT(broken([](Program &p) { p.steps[0].operands[0].offset = 1; }), HasSubstr("no such input or output, 1"));
  EXPECT_THAT(broken([](Program &p) { p.steps[0].operands[0].imageStride = 0; }), HasSubstr("whether it has a batch"));
  EXPECT_THAT(broken([](Program &p) { p.steps[0].operands[1].offset = 384; }), HasSubstr("outside the workspace"));
  EXPECT_THAT(broken([](Program &p) { p.steps[0].operands[2].offset = 64; }), HasSubstr("outside the weights"));
  EXPECT_THAT(broken([](Program &p) { p.steps[0].operands[1].segment = Segment::Fixed; }),
              HasSubstr("outside the fixed"));
  EXPECT_THAT(broken([](Program &p) { p.inputs[0].shape.assign(9, 1); }), HasSubstr("more than 8 dimensions"));
  EXPECT_THAT(broken([](Program &p) { p.inputs[0].shape.assign(8, 1 << 30); }), HasSubstr("too many bytes"));
}

TEST(Weights, MustComeComplete) {
  for (int64_t bytes : {0, 63, 65}) {
    Program program = tiny::makeProgram();
    program.streamWeights = [bytes](WeightSink sink) { return sink(std::vector<char>(bytes)); };
    Folder folder;
    auto result = writePackage(program, {folder.path.str().str(), {}});
    ASSERT_FALSE(bool(result));
    EXPECT_THAT(llvm::toString(result.takeError()), HasSubstr(bytes > 64 ? "more weights" : "fewer weights"));
  }
}

TEST(Header, FieldNamesAreIdentifiersAndDiffer) {
  auto names = [](const std::vector<std::string> &given) {
    std::vector<TensorInfo> tensors;
    for (const std::string &name : given)
      tensors.push_back({name, host::DType::F32, {}, true, ""});
    return fieldNames(tensors);
  };
  using Names = std::vector<std::string>;
  EXPECT_EQ(names({"image", "output"}), (Names{"image", "output"}));
  EXPECT_EQ(names({"conv.1", "conv_1", "3d", "int", "class", ""}),
            (Names{"conv_1", "conv_1_2", "t3d", "int_", "class_", "t"}));
  EXPECT_EQ(names({"x", "x_strides"}), (Names{"x", "x_strides_2"}));
  EXPECT_EQ(names({"x_strides", "x"}), (Names{"x_strides", "x_2"}));
}

TEST(Emit, GivesIrAssemblyAndObject) {
  Program program = tiny::makeProgram();
  auto text = [&](size_t variant, CodeStage stage) {
    auto bytes = emitKernels(program, variant, stage);
    if (!bytes)
      return llvm::toString(bytes.takeError());
    return std::string(bytes->begin(), bytes->end());
  };
  EXPECT_THAT(text(0, CodeStage::LlvmIr), HasSubstr("define hidden void @tiny.step0.avx512("));
  EXPECT_THAT(text(0, CodeStage::Assembly), HasSubstr("tiny.step2.avx512:"));
  EXPECT_THAT(text(1, CodeStage::Assembly), HasSubstr("vmulss"));
  EXPECT_THAT(text(2, CodeStage::Assembly), testing::Not(HasSubstr("vmulss")));
  EXPECT_EQ(text(0, CodeStage::Object).substr(0, 4), "\x7f"
                                                     "ELF");
}

} // namespace
