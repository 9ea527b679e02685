// The module of a wheel: what is the network's own stands in tables at its begin, the rest is the same for all. See
// Python.h.
#include "codegen/package/Python.h"

#include "codegen/package/CheckProgram.h"
#include "runtime/embedded/cnn_abi.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSet.h"

#include <fmt/format.h>

using namespace cnn;
using llvm::ArrayRef;
using llvm::StringRef;

namespace {

// It has no decorators: '@' marks what is filled in.
constexpr const char kModule[] = R"PY("""The @WHAT@ '@NAME@' for NumPy, compiled by cnnc.

@USE@

A Model holds the weights and the chosen instruction set and is shared by threads; a Session holds the memory of one run
at a time: use one a thread. Arrays must have the network's element types and shapes; strides are free, and what is dense
within an image is not copied. While the library computes, other Python threads run.
"""
import collections
import ctypes
import os
import threading

import numpy

Tensor = collections.namedtuple("Tensor", "name dtype shape batched")

NAME = "@NAME@"
ABI_VERSION = @ABI@
WEIGHTS_HASH = 0x@HASH@
BATCH = @BATCH@  # the one batch that the network takes; 0: any
INPUTS = {
@INPUTS@}
OUTPUTS = {
@OUTPUTS@}
HYPER = {
@HYPER@}
STATE_BYTES = @STATE_BYTES@
# Name: kind, element type, offset in bytes, shape.
STATE = {
@STATE@}

_ALIGNMENT = @ALIGNMENT@
_FOLDER = os.path.dirname(os.path.abspath(__file__))
_WEIGHTS_FILE = @WEIGHTS_FILE@


class Error(RuntimeError):
    """What the library refuses; `code` is its number."""

    def __init__(self, code):
        super().__init__(NAME + ": " + _lib.error(code).decode())
        self.code = code


class _ModelOptions(ctypes.Structure):
    _fields_ = [("size", ctypes.c_size_t), ("weights_file", ctypes.c_char_p), ("weights", ctypes.c_void_p),
                ("weights_bytes", ctypes.c_size_t)]


class _SessionOptions(ctypes.Structure):
    _fields_ = [("size", ctypes.c_size_t), ("max_batch", ctypes.c_int64), ("threads", ctypes.c_int),
                ("pool", ctypes.c_void_p)] + ([("state", ctypes.c_void_p)] if STATE_BYTES else [])


class _Library:
    """The functions of the library, whose prefix is dropped. ctypes lets other threads run while one is called."""

    def __init__(self, path):
        library = ctypes.CDLL(path)
        pointer, number, size, code = ctypes.c_void_p, ctypes.c_int64, ctypes.c_size_t, ctypes.c_int
        signatures = {
            "error": (ctypes.c_char_p, [code]),
            "model_bytes": (size, []),
            "model_init": (code, [pointer, pointer]),
            "model_end": (None, [pointer]),
            "isa": (ctypes.c_char_p, [pointer]),
            "session_bytes": (size, [pointer, number, code]),
            "session_init": (code, [pointer, pointer, pointer]),
            "session_end": (None, [pointer]),
        }
        if STATE_BYTES:
            signatures["step"] = (code, [pointer, number, pointer, pointer, pointer])
            signatures["state_init"] = (code, [pointer, pointer])
        else:
            signatures["run"] = (code, [pointer, number, pointer, pointer])
        for name, (result, arguments) in signatures.items():
            function = getattr(library, NAME + "_" + name)
            function.restype, function.argtypes = result, arguments
            setattr(self, name, function)


_lib = _Library(os.path.join(_FOLDER, "lib" + NAME + ".so"))
_Hyper = type("_Hyper", (ctypes.Structure,), {
    "_fields_": [(name, numpy.ctypeslib.as_ctypes_type(tensor.dtype)) for name, tensor in HYPER.items()]})
Outputs = collections.namedtuple("Outputs", list(OUTPUTS))


def _check(code):
    if code:
        raise Error(code)


def _memory(size):
    """Zeros at an aligned address."""
    array = numpy.zeros(size + _ALIGNMENT, numpy.uint8)
    offset = -array.ctypes.data % _ALIGNMENT
    return array[offset:offset + size]


def _shape_text(tensor):
    extents = ([str(BATCH) if BATCH else "N"] if tensor.batched else []) + [str(extent) for extent in tensor.shape]
    return "(" + ", ".join(extents) + ("," if len(extents) == 1 else "") + ")"


def _check_array(kind, field, tensor, array):
    """Raises what is wrong with an array; gives its batch, or None."""
    what = "%s '%s'" % (kind, field)
    if not isinstance(array, numpy.ndarray):
        raise TypeError("%s is a %s, expected a numpy.ndarray of %s" % (what, type(array).__name__, tensor.dtype))
    if array.dtype != tensor.dtype:
        raise TypeError("%s has elements of %s, expected %s" % (what, array.dtype, tensor.dtype))
    shape = array.shape[1:] if tensor.batched else array.shape
    if array.ndim != len(tensor.shape) + tensor.batched or shape != tensor.shape:
        raise ValueError("%s has the shape %s, expected %s" % (what, array.shape, _shape_text(tensor)))
    return array.shape[0] if tensor.batched else None


class _Pairs:
    """NAME_inputs or NAME_outputs: a pointer and strides for each tensor, and what these point to."""

    def __init__(self, arrays):
        self.fields = (ctypes.c_void_p * max(2 * len(arrays), 1))()
        self.keep = []
        for index, array in enumerate(arrays):
            self.fields[2 * index] = array.ctypes.data
            if not array.flags.c_contiguous:
                strides = (ctypes.c_int64 * array.ndim)(*(stride // array.itemsize for stride in array.strides))
                self.fields[2 * index + 1] = ctypes.addressof(strides)
                self.keep.append(strides)
            self.keep.append(array)


def _usable(array):
    """The array itself, unless its elements do not lie as the library reads them."""
    fits = array.flags.aligned and all(stride % array.itemsize == 0 for stride in array.strides)
    return array if fits else numpy.array(array, order="C")


class Model:
    """The weights and the chosen instruction set. `weights` is a weights file, which is mapped; without it, the weights
    that came with the package are used."""

    def __init__(self, weights=None):
        self._initialized = False
        self._sessions = set()
        self._memory = _memory(_lib.model_bytes())
        path = os.fspath(weights) if weights is not None else _WEIGHTS_FILE
        options = _ModelOptions(ctypes.sizeof(_ModelOptions), os.fsencode(path) if path else None, None, 0)
        self._address = self._memory.ctypes.data
        _check(_lib.model_init(self._address, ctypes.addressof(options)))
        self._initialized = True

    def _isa(self):
        return _lib.isa(self._address).decode()

    isa = property(_isa, doc="The chosen instruction set, such as 'avx512'.")

    def __del__(self):
        if getattr(self, "_initialized", False):
            # When Python ends, objects go in any order.
            for address in self._sessions:
                _lib.session_end(address)
            _lib.model_end(self._address)


@STATE_CLASS@class Session:
    """Memory and threads for one run at a time of up to `max_batch` images."""

    def __init__(self, model=None, @STATE_ARGUMENT@max_batch=BATCH or 1, threads=1):
        self._initialized = False
        self.model = model if model is not None else _default_model()
        self.max_batch = max_batch
        size = _lib.session_bytes(self.model._address, max_batch, threads)
        self._memory = _memory(max(size, 4096))
        self._address = self._memory.ctypes.data
        options = _SessionOptions(ctypes.sizeof(_SessionOptions), max_batch, threads)
@STATE_OPTION@        _check(_lib.session_init(self._address, self.model._address, ctypes.addressof(options)))
        self.model._sessions.add(self._address)
        self._initialized = True
        self._lock = threading.Lock()

    def __del__(self):
        if getattr(self, "_initialized", False):
            self.model._sessions.discard(self._address)
            _lib.session_end(self._address)

@METHODS@
    def _arguments(self, arrays, named, kinds):
        """The arguments of a call in order: by place, then by name."""
        fields = [field for kind in kinds for field in kind]
        if len(arrays) > len(fields):
            raise TypeError("%d arguments, expected at most %d: %s" % (len(arrays), len(fields), ", ".join(fields)))
        values = dict(zip(fields, arrays))
        for name, value in named.items():
            if name not in fields:
                raise TypeError("there is no argument '%s'; there are %s" % (name, ", ".join(fields) or "none"))
            if name in values:
                raise TypeError("'%s' is given twice" % name)
            values[name] = value
        missing = [field for field in fields if field not in values]
        if missing:
            raise TypeError("missing: " + ", ".join(missing))
        return values

    def _call(self, values, outputs, hyper):
        batch = BATCH or None
        for field, tensor in INPUTS.items():
            given = _check_array("input", field, tensor, values[field])
            if given is not None and batch is not None and given != batch:
                raise ValueError("input '%s' has a batch of %d, expected %d" % (field, given, batch))
            batch = batch if given is None else given
        batch = 1 if batch is None else batch
        if not 1 <= batch <= self.max_batch:
            raise ValueError("a batch of %d, but the session was made for 1 to %d" % (batch, self.max_batch))
        inputs = [_usable(values[field]) for field in INPUTS]
        if outputs is None:
            outputs = Outputs(*(numpy.empty(((batch,) if tensor.batched else ()) + tensor.shape, tensor.dtype)
                                for tensor in OUTPUTS.values()))
        for field, tensor in OUTPUTS.items():
            array = getattr(outputs, field)
            given = _check_array("output", field, tensor, array)
            if given not in (None, batch):
                raise ValueError("output '%s' has a batch of %d, expected %d" % (field, given, batch))
            if not array.flags.writeable or _usable(array) is not array:
                raise ValueError("output '%s' cannot be written: it is read-only or not aligned" % field)
            if any(numpy.may_share_memory(array, other) for other in inputs):
                raise ValueError("output '%s' overlaps an input" % field)
        given, wanted = _Pairs(inputs), _Pairs([getattr(outputs, field) for field in OUTPUTS])
        if not self._lock.acquire(blocking=False):
            raise RuntimeError("the session is in use by another thread: use one a thread")
        try:
            if STATE_BYTES:
                code = _lib.step(self._address, batch, given.fields, ctypes.addressof(hyper), wanted.fields)
            else:
                code = _lib.run(self._address, batch, given.fields, wanted.fields)
        finally:
            self._lock.release()
        _check(code)
        return outputs


_models = []
_models_lock = threading.Lock()


def _default_model():
    with _models_lock:
        if not _models:
            _models.append(Model())
        return _models[0]
@FUNCTIONS@)PY";

constexpr const char kRunMethods[] = R"PY(    def run(self, *arrays, **named):
        """The outputs, in new arrays, of the inputs, by place or by name."""
        return self._call(self._arguments(arrays, named, [INPUTS]), None, None)

    def run_into(self, outputs, *arrays, **named):
        """As `run`, into the arrays of `outputs`, an Outputs."""
        return self._call(self._arguments(arrays, named, [INPUTS]), outputs, None)
)PY";

constexpr const char kRunFunctions[] = R"PY(

_sessions = threading.local()


def run(*arrays, **named):
    """Session.run on a session of this thread, which is made anew for larger batches."""
    shapes = [numpy.shape(array) for array in list(arrays) + list(named.values())]
    batch = BATCH or max([shape[0] for shape in shapes if shape] + [1])
    session = getattr(_sessions, "session", None)
    if session is None or session.max_batch < batch:
        session = _sessions.session = Session(max_batch=batch)
    return session.run(*arrays, **named)
)PY";

constexpr const char kStepMethods[] = R"PY(    def step(self, *arrays, **named):
        """Updates the state; the arguments are inputs and hyperparameters, by place or by name."""
        values = self._arguments(arrays, named, [INPUTS, HYPER])
        hyper = _Hyper()
        for field in HYPER:
            try:
                setattr(hyper, field, values[field])
            except TypeError:
                raise TypeError("'%s' is a %s, expected a number" % (field, type(values[field]).__name__)) from None
        return self._call(values, None, hyper)
)PY";

constexpr const char kStateClass[] = R"PY(class State:
    """What steps read and change: parameters, statistics, optimizer slots and counters. state["name"] is an array that
    may be read and changed between steps."""

    def __init__(self, model=None):
        self._memory = _memory(STATE_BYTES)
        self.model = model if model is not None else _default_model()
        _check(_lib.state_init(self.model._address, self._memory.ctypes.data))

    def __getitem__(self, name):
        kind, dtype, offset, shape = STATE[name]
        size = int(numpy.prod(shape, dtype=numpy.int64)) * dtype.itemsize
        return self._memory[offset:offset + size].view(dtype).reshape(shape)

    def keys(self):
        return STATE.keys()


)PY";

/// A string of Python.
std::string literal(StringRef text) {
  std::string result = "\"";
  for (char c : text)
    if (c == '"' || c == '\\')
      result += std::string("\\") + c;
    else if (llvm::isPrint(c))
      result += c;
    else
      result += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
  return result + "\"";
}

/// Fields of the header as names of Python, all different.
std::vector<std::string> pythonNames(ArrayRef<TensorInfo> tensors) {
  static const llvm::StringSet<> keywords = {
      "False",  "None",   "True",     "and",    "as",      "assert", "async",  "await", "class",
      "def",    "del",    "elif",     "except", "finally", "from",   "global", "in",    "is",
      "lambda", "import", "nonlocal", "not",    "or",      "pass",   "raise",  "self",  "while",
      "with",   "yield",  "break",    "else",   "for",     "if",     "return", "try",   "continue"};
  std::vector<std::string> names;
  llvm::StringSet<> taken;
  for (std::string name : fieldNames(tensors)) {
    if (keywords.contains(name))
      name += "_";
    // Named tuples know no names with '_' first.
    if (name.starts_with('_'))
      name = "t" + name;
    while (!taken.insert(name).second)
      name += "_";
    names.push_back(name);
  }
  return names;
}

std::string dtypeText(host::DType type) {
  // NumPy has no bfloat16: its bits.
  StringRef name = type == host::DType::BF16  ? "uint16"
                   : type == host::DType::F16 ? "float16"
                   : type == host::DType::F32 ? "float32"
                   : type == host::DType::F64 ? "float64"
                   : type == host::DType::U8  ? "uint8"
                   : type == host::DType::I32 ? "int32"
                                              : "int64";
  return fmt::format("numpy.dtype(\"{}\")", name.str());
}

std::string tupleText(ArrayRef<int64_t> shape) {
  std::string text = "(";
  for (int64_t extent : shape)
    text += std::to_string(extent) + ", ";
  if (shape.size() > 1)
    text.resize(text.size() - 2);
  else if (!shape.empty())
    text.pop_back();
  return text + ")";
}

std::string tensorTable(ArrayRef<TensorInfo> tensors) {
  std::string text;
  for (auto [tensor, name] : llvm::zip(tensors, pythonNames(tensors)))
    text += fmt::format("    {}: Tensor({}, {}, {}, {}),\n", literal(name), literal(tensor.name),
                        dtypeText(tensor.dtype), tupleText(tensor.shape), tensor.batched ? "True" : "False");
  return text;
}

std::string stateTable(const Program &program) {
  std::string text;
  for (const StateVariable &variable : program.state)
    text += fmt::format("    {}: ({}, {}, {}, {}),\n", literal(variable.name), literal(variable.kind),
                        dtypeText(variable.dtype), variable.offset, tupleText(variable.shape));
  return text;
}

} // namespace

std::string cnn::pythonModuleText(const Program &program, const PackageFacts &facts) {
  const bool isStep = program.initialState >= 0;
  auto [inputs, hypers] = splitInputs(program);
  std::vector<std::string> arguments = pythonNames(inputs);
  for (std::string &name : arguments)
    name += "=" + name;
  std::string use =
      fmt::format("    import {0}\n    outputs = {0}.run({1})", program.name, llvm::join(arguments, ", "));
  if (isStep) {
    for (const std::string &name : pythonNames(hypers))
      arguments.push_back(name + "=" + name);
    use = fmt::format("    import {0}\n    state = {0}.State()\n    session = {0}.Session(state=state, max_batch=64)\n"
                      "    outputs = session.step({1})",
                      program.name, llvm::join(arguments, ", "));
  }
  const bool separate = program.weightsBytes && !facts.weightsEmbedded;
  return fillIn(kModule,
                {{"NAME", program.name},
                 {"WHAT", isStep ? "training step" : "network"},
                 {"USE", use},
                 {"ABI", std::to_string(CNN_ABI_VERSION)},
                 {"HASH", fmt::format("{:016x}", facts.weightsHash)},
                 {"BATCH", std::to_string(program.batch)},
                 {"INPUTS", tensorTable(inputs)},
                 {"OUTPUTS", tensorTable(program.outputs)},
                 {"HYPER", isStep ? tensorTable(hypers) : ""},
                 {"STATE_BYTES", std::to_string(isStep ? program.stateBytes : 0)},
                 {"STATE", isStep ? stateTable(program) : ""},
                 {"ALIGNMENT", std::to_string(CNN_ALIGNMENT)},
                 {"WEIGHTS_FILE", separate ? "os.path.join(_FOLDER, \"" + program.name + ".weights\")" : "None"},
                 {"STATE_CLASS", isStep ? kStateClass : ""},
                 {"STATE_ARGUMENT", isStep ? "state=None, " : ""},
                 {"STATE_OPTION", isStep ? "        self.state = state if state is not None else State(self.model)\n"
                                           "        options.state = self.state._memory.ctypes.data\n"
                                         : ""},
                 {"METHODS", isStep ? kStepMethods : kRunMethods},
                 {"FUNCTIONS", isStep ? "" : kRunFunctions}});
}
