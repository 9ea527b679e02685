/* The part of the CUDA driver's interface that the runtime uses, in declarations of our own: handles, the numbers that
 * go over the interface, and one table of entry points. The driver belongs to the machine (libcuda.so.1) and is found
 * at run time; whoever gives the entries of this table by name can stand in for it, as the emulated driver does. Names
 * of entries carry the version suffix of the interface that is meant. C and C++. */
#ifndef CNN_CUDA_DRIVER_H
#define CNN_CUDA_DRIVER_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef int CUdevice;
typedef uint64_t CUdeviceptr;
typedef struct CUctx_st *CUcontext;
typedef struct CUmod_st *CUmodule;
typedef struct CUfunc_st *CUfunction;
typedef struct CUstream_st *CUstream;
typedef struct CUevent_st *CUevent;
typedef struct CUgraph_st *CUgraph;
typedef struct CUgraphExec_st *CUgraphExec;

/* What every entry returns. Any number may come; these are told apart or given by the emulated driver. */
typedef int CUresult;
enum {
  CUDA_SUCCESS = 0,
  CUDA_ERROR_INVALID_VALUE = 1,
  CUDA_ERROR_OUT_OF_MEMORY = 2,
  CUDA_ERROR_NOT_INITIALIZED = 3,
  CUDA_ERROR_STUB_LIBRARY = 34,
  CUDA_ERROR_DEVICE_UNAVAILABLE = 46,
  CUDA_ERROR_NO_DEVICE = 100,
  CUDA_ERROR_INVALID_DEVICE = 101,
  CUDA_ERROR_INVALID_IMAGE = 200,
  CUDA_ERROR_INVALID_CONTEXT = 201,
  CUDA_ERROR_NO_BINARY_FOR_GPU = 209,
  CUDA_ERROR_ECC_UNCORRECTABLE = 214,
  CUDA_ERROR_INVALID_PTX = 218,
  CUDA_ERROR_JIT_COMPILER_NOT_FOUND = 221,
  CUDA_ERROR_UNSUPPORTED_PTX_VERSION = 222,
  CUDA_ERROR_INVALID_HANDLE = 400,
  CUDA_ERROR_NOT_FOUND = 500,
  CUDA_ERROR_NOT_READY = 600,
  CUDA_ERROR_ILLEGAL_ADDRESS = 700,
  CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES = 701,
  CUDA_ERROR_LAUNCH_TIMEOUT = 702,
  CUDA_ERROR_HARDWARE_STACK_ERROR = 714,
  CUDA_ERROR_ILLEGAL_INSTRUCTION = 715,
  CUDA_ERROR_MISALIGNED_ADDRESS = 716,
  CUDA_ERROR_LAUNCH_FAILED = 719,
  CUDA_ERROR_NOT_SUPPORTED = 801,
  CUDA_ERROR_SYSTEM_DRIVER_MISMATCH = 803,
  CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED = 900,
  CUDA_ERROR_STREAM_CAPTURE_INVALIDATED = 901,
  CUDA_ERROR_UNKNOWN = 999
};

/* CUdevice_attribute */
enum {
  CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK = 1,
  CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_X = 5,
  CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Y = 6,
  CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Z = 7,
  CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK = 8,
  CU_DEVICE_ATTRIBUTE_WARP_SIZE = 10,
  CU_DEVICE_ATTRIBUTE_CLOCK_RATE = 13, /* kHz */
  CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT = 16,
  CU_DEVICE_ATTRIBUTE_MEMORY_CLOCK_RATE = 36,       /* kHz */
  CU_DEVICE_ATTRIBUTE_GLOBAL_MEMORY_BUS_WIDTH = 37, /* bits */
  CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE = 38,
  CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR = 75,
  CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR = 76,
  CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_MULTIPROCESSOR = 81,
  CU_DEVICE_ATTRIBUTE_MAX_REGISTERS_PER_MULTIPROCESSOR = 82,
  CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN = 97
};

/* CUfunction_attribute */
enum {
  CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK = 0,
  CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES = 1,
  CU_FUNC_ATTRIBUTE_LOCAL_SIZE_BYTES = 3,
  CU_FUNC_ATTRIBUTE_NUM_REGS = 4,
  CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES = 8
};

/* CUpointer_attribute, and what CU_POINTER_ATTRIBUTE_MEMORY_TYPE answers. For memory that the driver does not know the
 * call fails with CUDA_ERROR_INVALID_VALUE: it is the host's. */
enum { CU_POINTER_ATTRIBUTE_MEMORY_TYPE = 2, CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL = 9 };
enum { CU_MEMORYTYPE_HOST = 1, CU_MEMORYTYPE_DEVICE = 2, CU_MEMORYTYPE_UNIFIED = 4 };

enum { CU_STREAM_DEFAULT = 0, CU_STREAM_NON_BLOCKING = 1 };
enum { CU_EVENT_DEFAULT = 0, CU_EVENT_DISABLE_TIMING = 2 };
/* CUstreamCaptureMode */
enum { CU_STREAM_CAPTURE_MODE_THREAD_LOCAL = 1, CU_STREAM_CAPTURE_MODE_RELAXED = 2 };
/* CUjit_option; values are cast to pointers. */
enum { CU_JIT_ERROR_LOG_BUFFER = 5, CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES = 6 };

/* A tensor in global memory, of which kernels for sm_90 copy boxes to shared memory; what the 128 bytes mean is the
 * driver's matter. Its address is a multiple of 64. */
#ifdef __cplusplus
typedef struct alignas(64) CUtensorMap {
  uint64_t opaque[16];
} CUtensorMap;
#else
typedef struct CUtensorMap {
  _Alignas(64) uint64_t opaque[16];
} CUtensorMap;
#endif
/* CUtensorMapDataType, ...Interleave, ...Swizzle, ...FloatOOBfill */
enum {
  CU_TENSOR_MAP_DATA_TYPE_FLOAT16 = 6,
  CU_TENSOR_MAP_DATA_TYPE_FLOAT32 = 7,
  CU_TENSOR_MAP_DATA_TYPE_BFLOAT16 = 9,
  CU_TENSOR_MAP_DATA_TYPE_TFLOAT32 = 11
};
enum { CU_TENSOR_MAP_INTERLEAVE_NONE = 0 };
enum {
  CU_TENSOR_MAP_SWIZZLE_NONE = 0,
  CU_TENSOR_MAP_SWIZZLE_32B = 1,
  CU_TENSOR_MAP_SWIZZLE_64B = 2,
  CU_TENSOR_MAP_SWIZZLE_128B = 3
};
enum { CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE = 0 };

/* cuTensorMapEncodeTiled, which drivers of CUDA 12 and later have: strides are of dimension 1 and on, in bytes. */
typedef CUresult (*cnn_cuda_encode_tiled)(CUtensorMap *map, int type, uint32_t rank, void *address,
                                          const uint64_t *extents, const uint64_t *strides, const uint32_t *box,
                                          const uint32_t *element_strides, int interleave, int swizzle, int promotion,
                                          int fill);

/* X(field of the table, name of the entry, parameters): those that must be there. All return a CUresult. */
#define CNN_CUDA_ENTRIES(X)                                                                                            \
  X(Init, cuInit, (unsigned flags))                                                                                    \
  X(DriverGetVersion, cuDriverGetVersion, (int *version))                                                              \
  X(GetErrorString, cuGetErrorString, (CUresult result, const char **text))                                            \
  X(GetErrorName, cuGetErrorName, (CUresult result, const char **name))                                                \
  X(DeviceGetCount, cuDeviceGetCount, (int *count))                                                                    \
  X(DeviceGet, cuDeviceGet, (CUdevice * device, int ordinal))                                                          \
  X(DeviceGetName, cuDeviceGetName, (char *name, int length, CUdevice device))                                         \
  X(DeviceGetAttribute, cuDeviceGetAttribute, (int *value, int attribute, CUdevice device))                            \
  X(DevicePrimaryCtxRetain, cuDevicePrimaryCtxRetain, (CUcontext * context, CUdevice device))                          \
  X(DevicePrimaryCtxRelease, cuDevicePrimaryCtxRelease_v2, (CUdevice device))                                          \
  X(CtxPushCurrent, cuCtxPushCurrent_v2, (CUcontext context))                                                          \
  X(CtxPopCurrent, cuCtxPopCurrent_v2, (CUcontext * context))                                                          \
  X(ModuleLoadDataEx, cuModuleLoadDataEx,                                                                              \
    (CUmodule * module, const void *image, unsigned option_count, int *options, void **values))                        \
  X(ModuleUnload, cuModuleUnload, (CUmodule module))                                                                   \
  X(ModuleGetFunction, cuModuleGetFunction, (CUfunction * function, CUmodule module, const char *name))                \
  X(FuncGetAttribute, cuFuncGetAttribute, (int *value, int attribute, CUfunction function))                            \
  X(FuncSetAttribute, cuFuncSetAttribute, (CUfunction function, int attribute, int value))                             \
  X(LaunchKernel, cuLaunchKernel,                                                                                      \
    (CUfunction function, unsigned grid_x, unsigned grid_y, unsigned grid_z, unsigned block_x, unsigned block_y,       \
     unsigned block_z, unsigned shared_bytes, CUstream stream, void **parameters, void **extra))                       \
  X(MemGetInfo, cuMemGetInfo_v2, (size_t *free_bytes, size_t *total_bytes))                                            \
  X(MemAlloc, cuMemAlloc_v2, (CUdeviceptr * address, size_t bytes))                                                    \
  X(MemFree, cuMemFree_v2, (CUdeviceptr address))                                                                      \
  X(MemcpyHtoDAsync, cuMemcpyHtoDAsync_v2, (CUdeviceptr to, const void *from, size_t bytes, CUstream stream))          \
  X(MemcpyDtoHAsync, cuMemcpyDtoHAsync_v2, (void *to, CUdeviceptr from, size_t bytes, CUstream stream))                \
  X(MemcpyDtoDAsync, cuMemcpyDtoDAsync_v2, (CUdeviceptr to, CUdeviceptr from, size_t bytes, CUstream stream))          \
  X(MemsetD8Async, cuMemsetD8Async, (CUdeviceptr to, unsigned char value, size_t bytes, CUstream stream))              \
  X(PointerGetAttribute, cuPointerGetAttribute, (void *value, int attribute, CUdeviceptr address))                     \
  X(StreamCreate, cuStreamCreate, (CUstream * stream, unsigned flags))                                                 \
  X(StreamDestroy, cuStreamDestroy_v2, (CUstream stream))                                                              \
  X(StreamSynchronize, cuStreamSynchronize, (CUstream stream))                                                         \
  X(StreamBeginCapture, cuStreamBeginCapture_v2, (CUstream stream, int mode))                                          \
  X(StreamEndCapture, cuStreamEndCapture, (CUstream stream, CUgraph * graph))                                          \
  X(GraphInstantiateWithFlags, cuGraphInstantiateWithFlags,                                                            \
    (CUgraphExec * executable, CUgraph graph, unsigned long long flags))                                               \
  X(GraphLaunch, cuGraphLaunch, (CUgraphExec executable, CUstream stream))                                             \
  X(GraphExecDestroy, cuGraphExecDestroy, (CUgraphExec executable))                                                    \
  X(GraphDestroy, cuGraphDestroy, (CUgraph graph))                                                                     \
  X(EventCreate, cuEventCreate, (CUevent * event, unsigned flags))                                                     \
  X(EventRecord, cuEventRecord, (CUevent event, CUstream stream))                                                      \
  X(EventElapsedTime, cuEventElapsedTime, (float *milliseconds, CUevent begin, CUevent end))                           \
  X(EventDestroy, cuEventDestroy_v2, (CUevent event))

/* The entries that were found: driver.MemAlloc is cuMemAlloc_v2. */
typedef struct cnn_cuda_driver {
#define CNN_CUDA_FIELD(field, name, parameters) CUresult(*field) parameters; // NOLINT(bugprone-macro-parentheses)
  CNN_CUDA_ENTRIES(CNN_CUDA_FIELD)
#undef CNN_CUDA_FIELD
} cnn_cuda_driver;

/* Gives the entry of a name, or null. */
typedef void *(*cnn_cuda_lookup)(const char *name);

/* Images that start with these bytes ("BC" and 0xC0DE) are LLVM bitcode, which only the emulated driver takes. */
#define CNN_CUDA_BITCODE_MAGIC UINT32_C(0xdec04342)

#ifdef __cplusplus
}
#endif

#endif
