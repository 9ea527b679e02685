// What this machine's memory gives at most, measured: the slope of a roofline.
#pragma once

namespace cnn {

/// GB/s that `threads` threads read at once from memory that no cache holds. Takes about 0.2 s; 0 where there is no
/// memory for it.
double measureReadGigabytes(int threads);

} // namespace cnn
