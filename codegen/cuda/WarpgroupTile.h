// The tile of MatmulTile.h by products of warpgroups (wgmma), which read both factors from shared memory: rows of 32 k
// that are swizzled as the tensor cores want them, each line of a factor a row. Copies bring f32 some stages ahead; the
// thread that copied an element rounds it to the precision of the product and gives it to the tensor cores. tf32 stays
// where it is, halves go to a tile of their own.
//
// One barrier a step: what a stage holds is converted by those who copied it, and a stage is filled again two steps
// after its product began, of which all threads know by then that it has ended.
#pragma once

#include "codegen/cuda/MatmulTile.h"

namespace cnn::cuda {

/// In a kernel of `tile`, which is of warpgroups, in a precision that tensor cores have.
void buildWarpgroupTile(DeviceBuilder &b, const MatmulTile &tile, Precision precision, const MatmulFactor &lhs,
                        const MatmulFactor &rhs, const MatmulPart &part, MatmulStore store);

} // namespace cnn::cuda
