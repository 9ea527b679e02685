// See Loaded.h.
#include "codegen/package/Loaded.h"

#include "codegen/package/CheckProgram.h"
#include "codegen/package/LibraryTarget.h"
#include "codegen/package/Link.h"
#include "codegen/package/MachineCode.h"
#include "runtime/embedded/cnn_api.h"

#include "llvm/Support/MemoryBuffer.h"

#include <cstdlib>
#include <dlfcn.h>

using namespace cnn;
using llvm::Expected;
using llvm::StringRef;

namespace {
struct ObserverContext {
  const Program &program;
  StepObserver observer;
};

void observe(void *context, int64_t index, int after, char *const *buffers, const int64_t *imageStrides) {
  auto &target = *static_cast<ObserverContext *>(context);
  const Step &step = target.program.steps[index];
  target.observer({&step, static_cast<size_t>(index), after != 0,
                   llvm::ArrayRef(const_cast<char **>(buffers), step.operands.size()),
                   llvm::ArrayRef(imageStrides, step.operands.size())});
}
} // namespace

struct Loaded::Api {
  void *library = nullptr;
  decltype(&cnn_api_model_bytes) modelBytes = nullptr;
  decltype(&cnn_api_model_init) modelInit = nullptr;
  decltype(&cnn_api_model_end) modelEnd = nullptr;
  decltype(&cnn_api_session_bytes) sessionBytes = nullptr;
  decltype(&cnn_api_session_init) sessionInit = nullptr;
  decltype(&cnn_api_session_end) sessionEnd = nullptr;
  decltype(&cnn_api_session_on_group) sessionOnGroup = nullptr;
  decltype(&cnn_api_run) run = nullptr;
  decltype(&cnn_api_run_observed) runObserved = nullptr;
  decltype(&cnn_api_resolve) resolve = nullptr;
  decltype(&cnn_api_error) error = nullptr;
  decltype(&cnn_api_isa) isa = nullptr;
  /// Of targets with a device; null elsewhere.
  decltype(&cnn_api_move_state) moveState = nullptr;
  decltype(&cnn_api_run_again) runAgain = nullptr;

  cnn_model *model = nullptr;

  ~Api() {
    if (library)
      dlclose(library);
  }
};

Loaded::Loaded(const Program &program) : source(program), api(std::make_unique<Api>()) {}

Loaded::~Loaded() {
  session.reset();
  if (hasModel)
    api->modelEnd(api->model);
}

llvm::Error Loaded::load(const std::string &path) {
  if (api->library)
    dlclose(api->library);
  api->library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!api->library)
    return llvm::createStringError(std::string("cannot load the compiled network: ") + dlerror());
  bool complete = true;
  auto find = [&](const char *name, auto &function) {
    void *address = this->find(name);
    complete &= address != nullptr;
    function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(address);
  };
  find("model_bytes", api->modelBytes);
  find("model_init", api->modelInit);
  find("model_end", api->modelEnd);
  find("session_bytes", api->sessionBytes);
  find("session_init", api->sessionInit);
  find("session_end", api->sessionEnd);
  find("session_on_group", api->sessionOnGroup);
  find("run", api->run);
  find("run_observed", api->runObserved);
  find("resolve", api->resolve);
  find("error", api->error);
  find("isa", api->isa);
  api->moveState = reinterpret_cast<decltype(api->moveState)>(this->find("move_state"));
  api->runAgain = reinterpret_cast<decltype(api->runAgain)>(this->find("run_again"));
  return complete ? llvm::Error::success()
                  : llvm::createStringError("the compiled network lacks a function of its API");
}

void *Loaded::find(const char *name) const { return dlsym(api->library, (source.name + "_" + name).c_str()); }

llvm::Error Loaded::check(int code, int64_t maxBatch) const {
  if (code == 0)
    return llvm::Error::success();
  auto detail = libraryTarget(source).detail(source, [this](const char *name) { return find(name); }, code, maxBatch);
  return llvm::createStringError(source.name + ": " + api->error(code) + detail);
}

/// Compiles, links and loads, or loads alone.
llvm::Error Loaded::build(const LibraryOptions &options, const CodeCache *cache) {
  std::string key;
  if (cache) {
    Expected<std::string> made = cacheKey(source, options);
    if (!made)
      return made.takeError();
    key = std::move(*made);
    if (std::optional<std::string> known = cache->find(key)) {
      llvm::Error error = load(*known);
      if (!error)
        return error;
      // A folder that code cannot be loaded from, or an entry that another process has just removed.
      llvm::consumeError(std::move(error));
    }
  }
  Expected<std::vector<ObjectFile>> objects = compileLibrary(source, options);
  if (!objects)
    return objects.takeError();
  // What is mapped stays when its file is gone.
  Expected<TemporaryFolder> folder = TemporaryFolder::create();
  if (!folder)
    return folder.takeError();
  const std::string name = "lib" + source.name + ".so", path = folder->path(name);
  if (llvm::Error error = linkShared(*folder, *objects, name, path))
    return error;
  if (cache)
    if (auto linked = llvm::MemoryBuffer::getFile(path, /*IsText=*/false, /*RequiresNullTerminator=*/false))
      cache->store(key, llvm::ArrayRef((*linked)->getBufferStart(), (*linked)->getBufferSize()));
  return load(path);
}

Expected<std::unique_ptr<Loaded>> Loaded::create(const Program &program, const std::optional<std::string> &isa,
                                                 const CodeCache *cache) {
  if (llvm::Error error = checkProgram(program))
    return error;
  const LibraryTarget &target = libraryTarget(program);
  Expected<std::vector<size_t>> variants = target.variantsHere(program, isa);
  if (!variants)
    return variants.takeError();
  std::unique_ptr<Loaded> loaded(new Loaded(program));
  Expected<WeightsImage> weights = collectWeights(program);
  if (!weights)
    return weights.takeError();
  loaded->weights = std::move(*weights);

  LibraryOptions options;
  options.variants = *variants;
  options.weightsHash = loaded->weights.hash;
  options.forTools = true;
  if (llvm::Error error = loaded->build(options, cache))
    return error;

  target.prepare([&](const char *name) { return loaded->find(name); });
  std::optional<HugeMemory> memory = HugeMemory::allocate(loaded->api->modelBytes());
  if (!memory)
    return llvm::createStringError("there is no memory for a model");
  loaded->modelMemory = std::move(*memory);
  loaded->api->model = reinterpret_cast<cnn_model *>(loaded->modelMemory.data());
  // The variable is for users of libraries; the tools have an option.
  unsetenv("CNN_ISA");
  cnn_model_options modelOptions = {sizeof modelOptions, nullptr, nullptr, 0};
  if (program.weightsBytes) {
    modelOptions.weights = loaded->weights.file.data();
    modelOptions.weights_bytes = loaded->weights.file.size();
  }
  if (llvm::Error error = loaded->check(loaded->api->modelInit(loaded->api->model, &modelOptions)))
    return error;
  loaded->hasModel = true;
  const StringRef chosen = loaded->api->isa(loaded->api->model);
  for (size_t index : *variants)
    if (program.variants[index].name == chosen)
      loaded->variantIndex = index;
  return loaded;
}

LoadedSession::~LoadedSession() {
  if (isOpen)
    loaded.api->sessionEnd(reinterpret_cast<cnn_session *>(memory.data()));
}

size_t Loaded::sessionBytes(int64_t maxBatch, int threads) const {
  return api->sessionBytes(api->model, maxBatch, threads);
}

Expected<std::unique_ptr<LoadedSession>> Loaded::newSession(int64_t maxBatch, int threads, void *state) const {
  size_t bytes = sessionBytes(maxBatch, threads);
  // Without a size the initialization says which argument is out of range.
  std::optional<HugeMemory> memory = HugeMemory::allocate(bytes ? bytes : size_t(1) << 16);
  if (!memory)
    return llvm::createStringError("there is no memory for a session of " + std::to_string(bytes) + " bytes");
  std::unique_ptr<LoadedSession> result(new LoadedSession(*this));
  result->memory = std::move(*memory);
  cnn_session_options options = {sizeof options, maxBatch, threads, nullptr, state};
  if (source.stateBytes == 0)
    options.size = offsetof(cnn_session_options, state);
  auto *address = reinterpret_cast<cnn_session *>(result->memory.data());
  if (llvm::Error error = check(api->sessionInit(address, api->model, &options), maxBatch))
    return error;
  result->isOpen = true;
  return result;
}

llvm::Error LoadedSession::run(int64_t batch, llvm::ArrayRef<const void *> inputs, llvm::ArrayRef<void *> outputs,
                               std::optional<StepObserver> observer) {
  const Program &source = loaded.source;
  if (inputs.size() != source.inputs.size() || outputs.size() != source.outputs.size())
    return llvm::createStringError("internal error: wrong number of tensors");
  llvm::SmallVector<cnn_tensor> in, out;
  for (const void *data : inputs)
    in.push_back({const_cast<void *>(data), nullptr});
  for (void *data : outputs)
    out.push_back({data, nullptr});
  auto *address = reinterpret_cast<cnn_session *>(memory.data());
  if (!observer)
    return loaded.check(loaded.api->run(address, batch, in.data(), out.data()));
  ObserverContext context{source, *observer};
  return loaded.check(loaded.api->runObserved(address, batch, in.data(), out.data(), observe, &context));
}

llvm::Error LoadedSession::runTimed(int64_t batch, llvm::ArrayRef<const void *> inputs, llvm::ArrayRef<void *> outputs,
                                    llvm::MutableArrayRef<int64_t> times) {
  auto *address = reinterpret_cast<cnn_session *>(memory.data());
  auto add = [](void *context, int64_t group, int64_t nanoseconds) {
    (*static_cast<llvm::MutableArrayRef<int64_t> *>(context))[group] += nanoseconds;
  };
  if (llvm::Error error = loaded.check(loaded.api->sessionOnGroup(address, add, &times)))
    return error;
  llvm::Error result = run(batch, inputs, outputs);
  return llvm::joinErrors(std::move(result), loaded.check(loaded.api->sessionOnGroup(address, nullptr, nullptr)));
}

Expected<std::optional<int64_t>> LoadedSession::runAgain(int64_t batch) {
  int64_t nanoseconds = 0;
  if (!loaded.api->runAgain)
    return std::nullopt;
  auto *address = reinterpret_cast<cnn_session *>(memory.data());
  if (llvm::Error error = loaded.check(loaded.api->runAgain(address, batch, &nanoseconds)))
    return error;
  return nanoseconds;
}

llvm::Error LoadedSession::moveState(int move) {
  return loaded.check(loaded.api->moveState(reinterpret_cast<cnn_session *>(memory.data()), move));
}

Expected<bool> LoadedSession::keepState() {
  if (!loaded.api->moveState || loaded.source.stateBytes == 0)
    return false;
  if (llvm::Error error = moveState(CNN_STATE_KEEP))
    return error;
  return true;
}

llvm::Error LoadedSession::fetchState() { return moveState(CNN_STATE_FETCH); }
llvm::Error LoadedSession::saveState() { return moveState(CNN_STATE_SAVE); }
llvm::Error LoadedSession::restoreState() { return moveState(CNN_STATE_RESTORE); }

std::pair<char *, int64_t> LoadedSession::resolve(const Operand &operand, int64_t batch) const {
  const cnn_operand translated = {static_cast<int64_t>(operand.segment), operand.offset, operand.slice,
                                  operand.imageStride};
  char *address = nullptr;
  int64_t stride = 0;
  loaded.api->resolve(reinterpret_cast<cnn_session *>(memory.data()), &translated, batch, &address, &stride);
  return {address, stride};
}

llvm::Error Loaded::openSession(int64_t maxBatch, int threads, void *state) {
  session.reset();
  Expected<std::unique_ptr<LoadedSession>> opened = newSession(maxBatch, threads, state);
  if (!opened)
    return opened.takeError();
  session = std::move(*opened);
  return llvm::Error::success();
}

llvm::Error Loaded::run(int64_t batch, llvm::ArrayRef<const void *> inputs, llvm::ArrayRef<void *> outputs,
                        std::optional<StepObserver> observer) {
  return session ? session->run(batch, inputs, outputs, observer)
                 : llvm::createStringError("internal error: no session is open");
}

llvm::Error Loaded::runTimed(int64_t batch, llvm::ArrayRef<const void *> inputs, llvm::ArrayRef<void *> outputs,
                             llvm::MutableArrayRef<int64_t> times) {
  return session ? session->runTimed(batch, inputs, outputs, times)
                 : llvm::createStringError("internal error: no session is open");
}
