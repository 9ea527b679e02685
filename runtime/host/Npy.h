//===- Npy.h - NumPy's .npy files -----------------------------------------===//
//
// Format versions 1 to 3, little-endian, in C or Fortran order (transposed to C order on reading). Other element types,
// objects, and headers that disagree with the file's size are errors: nothing in the file is executed or trusted.
//
//===----------------------------------------------------------------------===//
#ifndef CNN_RUNTIME_HOST_NPY_H
#define CNN_RUNTIME_HOST_NPY_H

#include "runtime/host/Tensor.h"

namespace cnn::host {

/// f2, f4, f8, u1, i4, i8, and b1 as u8. `name` stands in messages.
Result<Tensor> decodeNpy(std::span<const uint8_t> file, const std::string &name);
Result<Tensor> readNpy(const std::string &path);

/// The file's bytes, version 1.0 (2.0 for a very long shape) with the data aligned to 64; bf16, which NumPy lacks,
/// becomes f32.
std::vector<uint8_t> encodeNpy(const TensorView &tensor);
Result<void> writeNpy(const std::string &path, const TensorView &tensor);

} // namespace cnn::host

#endif // CNN_RUNTIME_HOST_NPY_H
