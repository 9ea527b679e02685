// Products of the four warps of a warpgroup (wgmma), which go on beside the threads: PTX ISA, "Asynchronous Warpgroup
// Level Matrix Instructions". Both factors lie in shared memory, as their descriptors say, and are read until the
// threads wait. The sums are registers that no one may touch meanwhile: generated code holds, in place of the result of
// a product, a mark that says which sum it is, and asks for the value where it is used.
//
// Rounding is that of MatrixOperations.cpp: exact products, f32 sums in the order of k.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

namespace cnn::cuda::emulator {

class Block;
struct Site;
struct Thread;

/// What a product is: m64nNk8 of tf32, m64nNk16 of f16 or bf16, both factors with k contiguous.
struct WarpgroupShape {
  enum Type { F16, BF16, TF32 } type;
  int64_t columns;
  static constexpr int64_t kRows = 64, kThreads = 128;
  int64_t depth() const { return type == TF32 ? 8 : 16; }
  /// Sums of a thread.
  int64_t sums() const { return columns / 2; }
};

/// One of a thread's sums.
struct WarpgroupSum {
  float value = 0;
  uint32_t version = 0; ///< How often it was written.
  uint64_t product = 0; ///< The last that adds to it; 0: none.
  bool isTouched = false;
};

class Warpgroups {
public:
  explicit Warpgroups(Block &block) : block_(block) {}
  void reset(uint32_t warps);

  /// wgmma.fence of a warp.
  void fence(uint32_t warp) { warps_[warp].isFenced = true; }
  /// All threads of the warpgroup have come to a product. Their arguments are the sums, then the descriptors.
  void multiply(Thread *const *threads, const Site &site, const WarpgroupShape &shape);
  void commit(uint32_t warp);
  void wait(Thread &first, const Site &site, uint64_t pending);
  /// The value behind a mark.
  float read(Thread &thread, const Site &site, uint32_t mark);

private:
  struct Product {
    const Site *site;
    uint64_t number;
    WarpgroupShape shape;
    Thread *threads[WarpgroupShape::kThreads];
    std::vector<uint16_t> sums; ///< By thread, numbers of its sums.
    /// Offsets in shared memory of 16 bytes each: two of every row of a, two of every column of b.
    std::vector<uint32_t> places;
    bool isDone = false, isScaled = true;
    int warpsLeft = 4;
  };
  struct Warp {
    bool isFenced = false;
    uint64_t completed = 0; ///< All products up to this number.
    std::vector<std::shared_ptr<Product>> open;
    std::deque<std::vector<std::shared_ptr<Product>>> groups;
  };
  void perform(Product &product);
  void place(Product &product, Thread &thread, const Site &site, uint64_t descriptor, int64_t rows);

  Block &block_;
  std::vector<Warp> warps_;
  std::vector<std::deque<std::shared_ptr<Product>>> ahead_; ///< Of each warpgroup, in order, not all done.
  uint64_t number_ = 0;
};

} // namespace cnn::cuda::emulator
