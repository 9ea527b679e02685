/* The error codes of emitted libraries, in one table for the runtime, the emitted header and the documentation. Codes
 * are part of the ABI: they are only ever added. */
#ifndef CNN_ERRORS_H
#define CNN_ERRORS_H

/* X(name, code, what it means) */
#define CNN_ERRORS(X)                                                                                                  \
  X(ERROR_NULL, 1, "a pointer that must be given is null")                                                             \
  X(ERROR_ALIGNMENT, 2,                                                                                                \
    "memory is not aligned: 64 bytes for models, sessions and weights, the element's size for tensors")                \
  X(ERROR_OPTIONS, 3, "the size field of the options is not the size of an options struct that this library knows")    \
  X(ERROR_NOT_INITIALIZED, 4, "the model or session was not initialized, or has ended")                                \
  X(ERROR_CPU, 5, "this CPU runs none of the instruction sets that the library has code for")                          \
  X(ERROR_ISA_UNKNOWN, 6, "CNN_ISA names an instruction set that the library has no code for")                         \
  X(ERROR_ISA_UNSUPPORTED, 7, "CNN_ISA names an instruction set that this CPU or operating system does not support")   \
  X(ERROR_WEIGHTS_MISSING, 8, "the weights are not in the library: give a file or memory in the model's options")      \
  X(ERROR_WEIGHTS_FILE, 9, "the weights file cannot be opened or read")                                                \
  X(ERROR_WEIGHTS_SIZE, 10, "the weights do not have the size that the library expects")                               \
  X(ERROR_WEIGHTS_FORMAT, 11, "this is no weights file, or one of another version")                                    \
  X(ERROR_WEIGHTS_HASH, 12, "the weights are not those that the library was built with: their hash differs")           \
  X(ERROR_BATCH, 13, "the batch is not between 1 and the session's maximum, or not the one that the network takes")    \
  X(ERROR_THREADS, 14, "the number of threads is not between 1 and 256")                                               \
  X(ERROR_THREAD_START, 15, "the operating system refused to start a thread")                                          \
  X(ERROR_DRIVER_MISSING, 16, "there is no CUDA driver, libcuda.so.1, that can be loaded")                             \
  X(ERROR_DRIVER_VERSION, 17, "the CUDA driver is older than the library's code")                                      \
  X(ERROR_DEVICE_MISSING, 18, "there is no CUDA device, or none of the number that was asked for")                     \
  X(ERROR_DEVICE_ARCHITECTURE, 19, "the library has no code for the architecture of the CUDA device")                  \
  X(ERROR_DEVICE_CODE, 20, "the CUDA driver refuses the library's code")                                               \
  X(ERROR_DEVICE_RESOURCES, 21, "a kernel needs more threads, registers or shared memory than the CUDA device has")    \
  X(ERROR_DEVICE_MEMORY, 22, "the CUDA device does not have as much free memory as the model or session needs")        \
  X(ERROR_DEVICE_TENSOR, 23, "a tensor in device memory lies on another device, or has gaps within an image")          \
  X(ERROR_DEVICE_LOST, 24, "the CUDA device failed; what the library made on it cannot be used any more")              \
  X(ERROR_DEVICE, 25, "the CUDA driver reported an error that the library does not expect")                            \
  X(ERROR_TARGET, 26, "CNN_TARGET or the model's options name a target that the library has no code for")

#endif
