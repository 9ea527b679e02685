// The transforms of Winograd's minimal filtering F(4x4, 3x3), one place for packing, kernels and the reference.
//
//   Y = Aᵀ [ (G g Gᵀ) ⊙ (Bt d Btᵀ) ] A        (Lavin and Gray 2016, equation 8)
//
// with g a 3x3 kernel, d a 6x6 tile of the input and Y the 4x4 outputs whose receptive field d is. The rows of A, Bt
// and G belong to the interpolation points a = 0, s, -s, t, -t with s = sqrt(1/2), t = sqrt(2), and infinity, whose
// rounding errors are smaller than those of 0, ±1, ±2 (Alam, Anderson, Barabasz and Gregg 2022, "Winograd Convolution
// for Deep Neural Networks: Efficient Point Selection"). By Cook and Toom's construction, transposed:
//
//   A[p][k]  = a_p^k,                 at infinity 1 for k = 3, else 0;
//   G[p][j]  = a_p^j / N_p,           N_p the product of (a_p - a_q) over the other finite q; at infinity 1 for j = 2;
//   Bt[p][i] = the coefficient of x^i in the product of (x - a_q) over the other finite q; at infinity over all finite
//   q.
//
// Here N = 1 for 0, -3/2 for ±s, 6 for ±t, and st = 1, so that every entry is a small number or one times s or t.
#pragma once

namespace cnn::winograd {

inline constexpr int kOutput = 4; ///< m: outputs of a tile along an axis.
inline constexpr int kKernel = 3; ///< r: taps of the kernel along an axis.
inline constexpr int kTile = 6;   ///< m + r - 1: inputs of a tile along an axis, and the number of points.

inline constexpr double kSqrtHalf = 0.70710678118654752440, kSqrtTwo = 1.41421356237309504880;

inline constexpr double A[kTile][kOutput] = {{1, 0, 0, 0},
                                             {1, kSqrtHalf, 0.5, kSqrtHalf / 2},
                                             {1, -kSqrtHalf, 0.5, -kSqrtHalf / 2},
                                             {1, kSqrtTwo, 2, 2 * kSqrtTwo},
                                             {1, -kSqrtTwo, 2, -2 * kSqrtTwo},
                                             {0, 0, 0, 1}};

inline constexpr double Bt[kTile][kTile] = {{1, 0, -2.5, 0, 1, 0},
                                            {0, -kSqrtTwo, -2, kSqrtHalf, 1, 0},
                                            {0, kSqrtTwo, -2, -kSqrtHalf, 1, 0},
                                            {0, -kSqrtHalf, -0.5, kSqrtTwo, 1, 0},
                                            {0, kSqrtHalf, -0.5, -kSqrtTwo, 1, 0},
                                            {0, 1, 0, -2.5, 0, 1}};

inline constexpr double G[kTile][kKernel] = {{1, 0, 0},
                                             {-2.0 / 3, -2.0 / 3 * kSqrtHalf, -1.0 / 3},
                                             {-2.0 / 3, 2.0 / 3 * kSqrtHalf, -1.0 / 3},
                                             {1.0 / 6, kSqrtTwo / 6, 1.0 / 3},
                                             {1.0 / 6, -kSqrtTwo / 6, 1.0 / 3},
                                             {0, 0, 1}};

} // namespace cnn::winograd
