// See Header.h.
#include "codegen/package/Header.h"

#include "codegen/package/CheckProgram.h"
#include "codegen/package/LibraryTarget.h"
#include "runtime/embedded/cnn_abi.h"
#include "runtime/embedded/cnn_errors.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSet.h"

#include <fmt/format.h>

using namespace cnn;
using llvm::ArrayRef;
using llvm::StringRef;

namespace {

/// Everything that does not depend on the network's tensors; @NAME@, @UPPER@ and the like are replaced.
constexpr const char kHeader[] = R"(/* @NAME@.h: the @WHAT@ '@NAME@' as a library, made by cnnc. C99 and C++.
 *
 * A model holds the weights and the chosen instruction set and is shared by threads; a session holds the memory of one run at a
 * time: use one a thread. All memory is yours, aligned to @UPPER@_ALIGNMENT, and stays yours; it may not move. Functions that
 * return int return @UPPER@_OK or an error of @NAME@_status, which @NAME@_error explains. @NAME@_@CALL@ allocates nothing.@ABOUT@ */
#ifndef @UPPER@_H
#define @UPPER@_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define @UPPER@_ABI_VERSION @ABI@
#define @UPPER@_ALIGNMENT @ALIGNMENT@
#define @UPPER@_MODEL_BYTES @MODEL_BYTES@ /* of a model, as @NAME@_model_bytes() answers */
#define @UPPER@_WORKSPACE_BYTES @WORKSPACE@ /* of a session, for each image */
#define @UPPER@_MAX_THREADS @MAX_THREADS@
#define @UPPER@_BATCH @BATCH@ /* the one batch that the network takes; 0: any */
#define @UPPER@_GROUPS @GROUPS@ /* what a run does, one after the other */

/* The packed weights: their size, the size of a weights file with them, their hash, and whether they are in the library. */
#define @UPPER@_WEIGHTS_BYTES @WEIGHTS@
#define @UPPER@_WEIGHTS_FILE_BYTES @WEIGHTS_FILE@
#define @UPPER@_WEIGHTS_HASH UINT64_C(@HASH@)
#define @UPPER@_WEIGHTS_EMBEDDED @EMBEDDED@

@SHAPES@@STATE@enum @NAME@_status {
  @UPPER@_OK = 0,
@ERRORS@
};

/* A pool of threads. parallel_for calls task(argument, worker) at most once for each worker in [0, workers), and at least for
 * worker 0, in any order, on any threads, and returns when all calls have returned. It may be called by several sessions at
 * once; a pool that is busy should call the task for worker 0 alone and not wait. All libraries share this type. */
#ifndef CNN_POOL_DEFINED
#define CNN_POOL_DEFINED
typedef struct cnn_pool {
  int threads; /* the calling one included */
  void (*parallel_for)(void *context, int workers, void (*task)(void *argument, int worker), void *argument);
  void *context;
} cnn_pool;
#endif

typedef struct @NAME@_model @NAME@_model;
typedef struct @NAME@_session @NAME@_session;

typedef struct @NAME@_model_options {
  size_t size;              /* sizeof(@NAME@_model_options) */
  const char *weights_file; /* NULL: none */
  void *weights;            /* NULL: none; memory that outlives the model, aligned to @UPPER@_ALIGNMENT */
  size_t weights_bytes;     /* of that memory: @UPPER@_WEIGHTS_FILE_BYTES */
@MODEL_OPTIONS@} @NAME@_model_options;

typedef struct @NAME@_session_options {
  size_t size; /* sizeof(@NAME@_session_options) */
  int64_t max_batch;
  int threads;          /* the calling one included; the session starts the others unless there is a pool */
  const cnn_pool *pool; /* NULL: none; with one, threads = 0 means all of the pool's */
@STATE_OPTION@@SESSION_OPTIONS@} @NAME@_session_options;

/* Tensors lie in row-major order. Strides count elements, one a dimension, the batch's first; NULL: without gaps. Inputs and
 * outputs may not overlap. Outputs may be NULL where you do not want them, but not all. */
@TENSORS@
/* Bytes of a model. */
size_t @NAME@_model_bytes(void);

/* Chooses the instruction set (the environment variable CNN_ISA forces one) and finds the weights: with options NULL, those in
 * the library; else weights_file is mapped, or read into `weights` where both are given; or `weights` already holds the bytes
 * of a weights file. Weights that are not those the library was built with are refused. */
int @NAME@_model_init(@NAME@_model *model, const @NAME@_model_options *options);

/* Ends a model that no session uses any more. */
void @NAME@_model_end(@NAME@_model *model);

/* The chosen instruction set, such as "avx512"; NULL for what is no model. */
const char *@NAME@_isa(const @NAME@_model *model);

/* Bytes of a session; 0 when the arguments are out of range. */
size_t @NAME@_session_bytes(const @NAME@_model *model, int64_t max_batch, int threads);

/* Prepares a session of @NAME@_session_bytes(model, options->max_batch, options->threads) bytes and starts its threads. */
int @NAME@_session_init(@NAME@_session *session, const @NAME@_model *model, const @NAME@_session_options *options);

/* The pool that a session uses, to be given to other sessions, of other networks too, while this one lives. */
const cnn_pool *@NAME@_session_pool(const @NAME@_session *session);

/* From now on runs tell `callback`, on the thread that runs, the number of each group and what it took; NULL: no more. */
int @NAME@_session_on_group(@NAME@_session *session, void (*callback)(void *context, int64_t group, int64_t nanoseconds),
  void *context);

/* The path of a group, the layer that it begins with; NULL beyond the last. */
const char *@NAME@_group(int64_t group);

/* Stops the threads that the session started. */
void @NAME@_session_end(@NAME@_session *session);

@RUN@
@FUNCTIONS@/* What a code means, as English text. */
const char *@NAME@_error(int code);

#ifdef __cplusplus
}
#endif

#endif
)";

constexpr const char kRun[] = R"(/* Computes `batch` images, 1 to the session's maximum. */
int @NAME@_run(@NAME@_session *session, int64_t batch, const @NAME@_inputs *inputs, const @NAME@_outputs *outputs);
)";

/// Of a training step: what changes with each call, and what the caller keeps.
constexpr const char kStep[] =
    R"(/* One step of training on `batch` images, 1 to the session's maximum: the session's state is updated. */
int @NAME@_step(@NAME@_session *session, int64_t batch, const @NAME@_inputs *inputs, const @NAME@_hyper *hyper,
  const @NAME@_outputs *outputs);

/* Gives `state`, @UPPER@_STATE_BYTES of yours, the values with which training begins. */
int @NAME@_state_init(const @NAME@_model *model, void *state);
)";

constexpr const char kState[] =
    R"(/* The state: parameters, statistics, optimizer slots and counters, in one block of yours, row-major. Between steps it may be
 * read, changed, copied and written to files. */
#define @UPPER@_STATE_BYTES @STATE_BYTES@
#define @UPPER@_VARIABLES @VARIABLES@
typedef struct @NAME@_variable {
  const char *name, *kind, *type; /* kind: param, statistic, slot or counter */
  size_t offset, elements;        /* the offset in bytes */
  int rank;
  int64_t shape[8];
} @NAME@_variable;
static const @NAME@_variable @NAME@_state[@UPPER@_VARIABLES] = {
@TABLE@};

)";

constexpr const char kSmokeTest[] = R"(/* Runs the network '@NAME@' on zeros, twice, and compares the results:
 *   cc -std=c99 @NAME@_smoke_test.c lib@NAME@.a -o @NAME@_smoke_test && ./@NAME@_smoke_test@ARGUMENT@ */
#include "@NAME@.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *aligned(size_t bytes) {
  char *memory = (char *)calloc(1, bytes + @UPPER@_ALIGNMENT);
  if (!memory) {
    fprintf(stderr, "no memory\n");
    exit(1);
  }
  return memory + (@UPPER@_ALIGNMENT - (uintptr_t)memory % @UPPER@_ALIGNMENT);
}

static void check(int code) {
  if (code == @UPPER@_OK)
    return;
  fprintf(stderr, "@NAME@: %s\n", @NAME@_error(code));
  exit(1);
}

int main(int argc, char **argv) {
  const int64_t batch = @BATCH1@;
  @NAME@_model_options model_options = {sizeof(@NAME@_model_options), NULL, NULL, 0@MODEL_ZEROS@};
  @NAME@_session_options session_options = {sizeof(@NAME@_session_options), 1, 1, NULL@NO_STATE@@SESSION_ZEROS@};
  @NAME@_model *model = (@NAME@_model *)aligned(@NAME@_model_bytes());
  @NAME@_session *session;
  @NAME@_inputs inputs;
  @NAME@_outputs first, second;
@DECLARE@
  model_options.weights_file = argc > 1 ? argv[1] : NULL;
  session_options.max_batch = batch;
  check(@NAME@_model_init(model, &model_options));
  session = (@NAME@_session *)aligned(@NAME@_session_bytes(model, batch, 1));
@STATE@  check(@NAME@_session_init(session, model, &session_options));

  memset(&inputs, 0, sizeof inputs);
  memset(&first, 0, sizeof first);
  memset(&second, 0, sizeof second);
@ALLOCATE@
@RUNS@@COMPARE@
  printf("@NAME@ runs on %s\n", @NAME@_isa(model));
  @NAME@_session_end(session);
  @NAME@_model_end(model);
  return 0;
}
)";

StringRef cType(host::DType type) {
  switch (type) {
  case host::DType::F32:
    return "float";
  case host::DType::F64:
    return "double";
  case host::DType::F16:
  case host::DType::BF16:
    return "uint16_t";
  case host::DType::U8:
    return "uint8_t";
  case host::DType::I32:
    return "int32_t";
  case host::DType::I64:
    return "int64_t";
  }
  return "void";
}

/// "f32[N, 3, 224, 224]"
std::string shapeText(const Program &program, const TensorInfo &tensor) {
  std::vector<std::string> extents;
  if (tensor.batched)
    extents.push_back(program.batch ? std::to_string(program.batch) : "N");
  for (int64_t extent : tensor.shape)
    extents.push_back(std::to_string(extent));
  return std::string(host::dtypeName(tensor.dtype)) + "[" + llvm::join(extents, ", ") + "]";
}

/// A comment may not end within a name.
std::string comment(std::string text) {
  for (size_t at; (at = text.find("*/")) != std::string::npos;)
    text.replace(at, 2, "* /");
  for (char &c : text)
    c = llvm::isPrint(c) ? c : '?';
  return text;
}

std::string shapeConstants(const Program &program, ArrayRef<TensorInfo> tensors, StringRef kind) {
  std::string text;
  for (auto [tensor, field] : llvm::zip(tensors, fieldNames(tensors))) {
    const std::string prefix = StringRef(program.name + "_" + field).upper();
    text += fmt::format("/* {} '{}': {}; elements{} and extents{}. */\n", kind.str(), comment(tensor.name),
                        shapeText(program, tensor), tensor.batched ? " of an image" : "",
                        tensor.batched ? " after the batch" : "");
    if (!tensor.values.empty())
      text += fmt::format("/* {} */\n", comment(tensor.values));
    text += fmt::format("#define {}_ELEMENTS {}\n#define {}_RANK {}\n", prefix, *host::elementCount(tensor.shape),
                        prefix, tensor.shape.size() + tensor.batched);
    for (auto [index, extent] : llvm::enumerate(tensor.shape))
      text += fmt::format("#define {}_DIM{} {}\n", prefix, index + tensor.batched, extent);
    text += "\n";
  }
  return text;
}

std::string tensorStruct(const Program &program, ArrayRef<TensorInfo> tensors, StringRef kind) {
  std::string text = fmt::format("typedef struct {}_{} {{\n", program.name, kind.str());
  for (auto [tensor, field] : llvm::zip(tensors, fieldNames(tensors)))
    text += fmt::format("  {}{} *{}; /* {} */\n  const int64_t *{}_strides;\n", kind == "inputs" ? "const " : "",
                        cType(tensor.dtype).str(), field, shapeText(program, tensor), field);
  if (tensors.empty())
    text += "  void *unused;\n";
  return text + fmt::format("}} {}_{};\n\n", program.name, kind.str());
}

/// The hyperparameters of a step as a struct, and the functions that take it.
std::string hyperStruct(const Program &program, ArrayRef<TensorInfo> hypers) {
  std::string text =
      fmt::format("/* What a step is given anew each time. */\ntypedef struct {}_hyper {{\n", program.name);
  for (auto [tensor, field] : llvm::zip(hypers, fieldNames(hypers)))
    text += fmt::format("  {} {};\n", cType(tensor.dtype).str(), field);
  if (hypers.empty())
    text += "  char unused;\n";
  return text + fmt::format("}} {}_hyper;\n\n", program.name);
}

std::string stateTable(const Program &program) {
  std::string text;
  for (const StateVariable &variable : program.state) {
    std::vector<std::string> extents;
    for (int64_t extent : variable.shape)
      extents.push_back(std::to_string(extent));
    if (extents.empty())
      extents.push_back("0");
    text += fmt::format("  {{\"{}\", \"{}\", \"{}\", {}, {}, {}, {{{}}}}},\n", comment(variable.name), variable.kind,
                        host::dtypeName(variable.dtype), variable.offset, *host::elementCount(variable.shape),
                        variable.shape.size(), llvm::join(extents, ", "));
  }
  // C90 and C++98 know no comma at the end.
  if (!text.empty())
    text.erase(text.size() - 2, 1);
  return text;
}

std::string errorEnumerators(const std::string &upper) {
  std::vector<std::string> lines;
#define CNN_ERROR_LINE(name, code, text)                                                                               \
  lines.push_back(fmt::format("  {}_{} = {} /* {} */", upper, #name, code, text));
  CNN_ERRORS(CNN_ERROR_LINE)
#undef CNN_ERROR_LINE
  // The comma stands before the comment; the last line has none, for C90's sake.
  for (std::string &line : llvm::MutableArrayRef(lines).drop_back())
    line.insert(line.find(" /*"), ",");
  return llvm::join(lines, "\n");
}

std::string smokeTensors(const Program &program, ArrayRef<TensorInfo> tensors, ArrayRef<StringRef> structs) {
  std::string text;
  for (auto [tensor, field] : llvm::zip(tensors, fieldNames(tensors)))
    for (StringRef name : structs)
      text += fmt::format("  {}.{} = ({} *)aligned({} * sizeof({}){});\n", name.str(), field, cType(tensor.dtype).str(),
                          *host::elementCount(tensor.shape), cType(tensor.dtype).str(),
                          tensor.batched ? " * (size_t)batch" : "");
  return text;
}

} // namespace

std::string cnn::fillIn(StringRef text, ArrayRef<std::pair<StringRef, std::string>> values) {
  std::string result;
  while (!text.empty()) {
    auto [before, rest] = text.split('@');
    result += before;
    if (rest.empty() && before.size() == text.size())
      break;
    auto [key, after] = rest.split('@');
    auto found = llvm::find_if(values, [&key = key](const auto &value) { return value.first == key; });
    assert(found != values.end() && "a template names what it is not given");
    result += found->second;
    text = after;
  }
  return result;
}

std::pair<ArrayRef<TensorInfo>, ArrayRef<TensorInfo>> cnn::splitInputs(const Program &program) {
  ArrayRef<TensorInfo> all = program.inputs;
  size_t hypers = program.initialState >= 0 ? static_cast<size_t>(program.hypers) : 0;
  return {all.drop_back(hypers), all.take_back(hypers)};
}

std::vector<std::string> cnn::fieldNames(ArrayRef<TensorInfo> tensors) {
  std::vector<std::string> names;
  llvm::StringSet<> taken;
  for (const TensorInfo &tensor : tensors) {
    std::string name;
    for (char c : tensor.name)
      name += llvm::isAlnum(c) || c == '_' ? c : '_';
    if (!isIdentifier(name))
      name = name.empty() || llvm::isDigit(name.front()) ? "t" + name : name + "_";
    std::string unique = name;
    for (int number = 2; taken.contains(unique) || taken.contains(unique + "_strides") ||
                         (StringRef(unique).ends_with("_strides") &&
                          taken.contains(StringRef(unique).drop_back(StringRef("_strides").size())));
         ++number)
      unique = name + "_" + std::to_string(number);
    taken.insert(unique);
    taken.insert(unique + "_strides");
    names.push_back(unique);
  }
  return names;
}

std::string cnn::headerText(const Program &program, const PackageFacts &facts) {
  const std::string upper = StringRef(program.name).upper();
  const bool isStep = program.initialState >= 0;
  const LibraryTexts target = libraryTarget(program).texts(program);
  auto [inputs, hypers] = splitInputs(program);
  const std::pair<StringRef, std::string> names[] = {{"NAME", program.name},
                                                     {"UPPER", upper},
                                                     {"STATE_BYTES", std::to_string(program.stateBytes)},
                                                     {"VARIABLES", std::to_string(program.state.size())},
                                                     {"TABLE", stateTable(program)}};
  return fillIn(
      kHeader,
      {{"NAME", program.name},
       {"UPPER", upper},
       {"WHAT", isStep ? "training step" : "network"},
       {"CALL", isStep ? "step" : "run"},
       {"STATE", isStep ? fillIn(kState, names) : ""},
       {"STATE_OPTION", isStep ? "  void *state; /* " + upper + "_STATE_BYTES of yours, which steps update */\n"
                        : target.hasStateOption ? "  void *state;          /* of training steps: NULL */\n"
                                                : ""},
       {"ABOUT", fillIn(target.about, names)},
       {"MODEL_OPTIONS", target.modelOptions},
       {"SESSION_OPTIONS", target.sessionOptions},
       {"FUNCTIONS", fillIn(target.functions, names)},
       {"RUN", fillIn(isStep ? kStep : kRun, names)},
       {"ABI", std::to_string(CNN_ABI_VERSION)},
       {"ALIGNMENT", std::to_string(CNN_ALIGNMENT)},
       {"MODEL_BYTES", std::to_string(target.modelBytes)},
       {"WORKSPACE", std::to_string(program.workspaceBytes)},
       {"MAX_THREADS", std::to_string(CNN_MAX_THREADS)},
       {"BATCH", std::to_string(program.batch)},
       {"GROUPS", std::to_string(program.groups.size())},
       {"WEIGHTS", std::to_string(program.weightsBytes)},
       {"WEIGHTS_FILE", std::to_string(program.weightsBytes + CNN_WEIGHTS_HEADER_BYTES)},
       {"HASH", fmt::format("0x{:016x}", facts.weightsHash)},
       {"EMBEDDED", facts.weightsEmbedded ? "1" : "0"},
       {"SHAPES", shapeConstants(program, inputs, "Input") + shapeConstants(program, program.outputs, "Output")},
       {"ERRORS", errorEnumerators(upper)},
       {"TENSORS", tensorStruct(program, inputs, "inputs") + (isStep ? hyperStruct(program, hypers) : "") +
                       tensorStruct(program, program.outputs, "outputs")}});
}

std::string cnn::pkgConfigText(const Program &program) {
  return fillIn(R"(libdir=${pcfiledir}
includedir=${pcfiledir}

Name: @NAME@
Description: The network @NAME@ as a library
Version: @ABI@
Cflags: -I${includedir}
Libs: -L${libdir} -l@NAME@
Libs.private: -pthread
)",
                {{"NAME", program.name}, {"ABI", std::to_string(CNN_ABI_VERSION)}});
}

std::string cnn::cmakeText(const Program &program) {
  return fillIn(R"(# find_package(@NAME@ CONFIG): the targets @NAME@::static and @NAME@::shared.
foreach(kind static shared)
  if(NOT TARGET @NAME@::${kind})
    string(TOUPPER ${kind} type)
    add_library(@NAME@::${kind} ${type} IMPORTED)
    set_target_properties(@NAME@::${kind} PROPERTIES INTERFACE_INCLUDE_DIRECTORIES "${CMAKE_CURRENT_LIST_DIR}")
  endif()
endforeach()
find_package(Threads REQUIRED)
set_target_properties(@NAME@::static PROPERTIES IMPORTED_LOCATION "${CMAKE_CURRENT_LIST_DIR}/lib@NAME@.a"
  INTERFACE_LINK_LIBRARIES Threads::Threads)
set_target_properties(@NAME@::shared PROPERTIES IMPORTED_LOCATION "${CMAKE_CURRENT_LIST_DIR}/lib@NAME@.so"
  IMPORTED_SONAME lib@NAME@.so)
)",
                {{"NAME", program.name}});
}

std::string cnn::cmakeVersionText(const Program &program) {
  return fillIn(R"(# The version of @NAME@ is that of its ABI: another one fits no program that asks for it.
set(PACKAGE_VERSION @ABI@)
string(REGEX REPLACE "\\..*" "" wanted "${PACKAGE_FIND_VERSION}")
if(wanted STREQUAL PACKAGE_VERSION)
  set(PACKAGE_VERSION_COMPATIBLE TRUE)
  set(PACKAGE_VERSION_EXACT TRUE)
endif()
)",
                {{"NAME", program.name}, {"ABI", std::to_string(CNN_ABI_VERSION)}});
}

std::string cnn::smokeTestText(const Program &program, const PackageFacts &facts) {
  std::string compare;
  for (auto [tensor, field] : llvm::zip(program.outputs, fieldNames(program.outputs)))
    compare += fmt::format("  if (memcmp(first.{0}, second.{0}, {1} * sizeof({2}){3}) != 0) {{\n"
                           "    fprintf(stderr, \"{4}: two runs differ\\n\");\n    return 1;\n  }}\n",
                           field, *host::elementCount(tensor.shape), cType(tensor.dtype).str(),
                           tensor.batched ? " * (size_t)batch" : "", program.name);
  const LibraryTexts target = libraryTarget(program).texts(program);
  const bool separate = program.weightsBytes && !facts.weightsEmbedded, isStep = program.initialState >= 0;
  std::string runs, state;
  const std::string upper = StringRef(program.name).upper();
  for (const char *outputs : {"first", "second"})
    runs += isStep ? fmt::format("  memset(&hyper, 0, sizeof hyper);\n  check({0}_state_init(model, state));\n"
                                 "  check({0}_step(session, batch, &inputs, &hyper, &{1}));\n",
                                 program.name, outputs)
                   : fmt::format("  check({}_run(session, batch, &inputs, &{}));\n", program.name, outputs);
  if (isStep)
    state = fmt::format("  state = aligned({}_STATE_BYTES);\n  session_options.state = state;\n", upper);
  return fillIn(kSmokeTest,
                {{"NAME", program.name},
                 {"UPPER", upper},
                 {"ARGUMENT", separate ? " " + program.name + ".weights" : ""},
                 {"BATCH1", std::to_string(std::max<int64_t>(program.batch, 1))},
                 {"DECLARE", isStep ? fmt::format("  {}_hyper hyper;\n  void *state;\n", program.name) : ""},
                 {"NO_STATE", isStep || target.hasStateOption ? ", NULL" : ""},
                 {"MODEL_ZEROS", target.modelZeros},
                 {"SESSION_ZEROS", target.sessionZeros},
                 {"STATE", state},
                 {"RUNS", runs},
                 {"ALLOCATE", smokeTensors(program, splitInputs(program).first, {"inputs"}) +
                                  smokeTensors(program, program.outputs, {"first", "second"})},
                 {"COMPARE", compare}});
}
