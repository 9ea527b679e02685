// The kernels of training steps that move memory rather than multiply, on one thread: the update of a parameter, batch
// norm's backward sums, gradients of poolings, draws. GB/s count every operand once; the copy of as many bytes as the
// update moves is what the machine gives.
//
//   training_bench [--isa NAME]
#include "test/unit/codegen/cpu/GroupCase.h"

#include "llvm/ADT/STLExtras.h"

#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstring>

using namespace cnn::cpu;
using namespace cnn::testing;

namespace {

constexpr int kRounds = 30;

template <typename Fn> double bestSeconds(Fn fn) {
  double best = INFINITY;
  for (int round = 0; round < kRounds; ++round) {
    auto start = std::chrono::steady_clock::now();
    fn();
    best = std::min(best, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  return best;
}

/// Operand sizes in floats of one image, or of all where `isBatched` is false.
struct Operand {
  int64_t floats;
  bool isBatched;
};

void report(const char *name, double bytes, double seconds) {
  printf("%-28s %8.3f ms  %6.1f GB/s\n", name, 1e3 * seconds, 1e-9 * bytes / seconds);
}

void measure(const char *name, Isa isa, const GroupCase &g, KernelKind kind, int64_t batch,
             const std::vector<Operand> &operands) {
  CompiledGroup group(g.text(), isa, kind);
  if (!group.hasKernels()) {
    printf("%-28s is computed by another kernel\n", name);
    return;
  }
  std::vector<Floats> memory;
  std::vector<char *> buffers;
  std::vector<int64_t> strides;
  double bytes = 0;
  for (const Operand &operand : operands) {
    int64_t floats = operand.floats * (operand.isBatched ? batch : 1);
    buffers.push_back(memory.emplace_back(floats, 0.5f).bytes());
    strides.push_back(operand.isBatched ? 4 * operand.floats : 0);
    bytes += 4.0 * static_cast<double>(floats);
  }
  report(name, bytes, bestSeconds([&] { group.run(buffers, strides, batch); }));
}

void measureUpdate(Isa isa, int64_t count) {
  GroupCase g(1);
  std::string type = tensor({count});
  std::string p = g.input(type), gradient = g.input(type), mean = g.input(type), squares = g.input(type);
  std::string rate = g.input("tensor<f32>"), correction = g.input("tensor<f32>");
  auto spread = [&](const std::string &scalar) {
    return g.op("broadcast", {scalar}, ints("dims", {}) + ", " + ints("shape", {count}), type);
  };
  auto constant = [&](double value) { return spread(g.constant(value, "tensor<f32>")); };
  auto average = [&](const std::string &old, const std::string &now, double beta) {
    return g.op("add", {g.op("mul", {old, constant(beta)}, "", type), g.op("mul", {now, constant(1 - beta)}, "", type)},
                "", type);
  };
  std::string first = average(mean, gradient, 0.9);
  std::string second = average(squares, g.op("mul", {gradient, gradient}, "", type), 0.999);
  std::string root = g.op("div", {g.op("sqrt", {second}, "", type), spread(correction)}, "", type);
  std::string change = g.op(
      "div", {g.op("mul", {spread(rate), first}, "", type), g.op("add", {root, constant(1e-8)}, "", type)}, "", type);
  g.result(g.op("sub", {p, change}, "", type));
  g.result(first);
  g.result(second);
  measure("adam", isa, g, KernelKind::Elementwise, 1,
          {{count, false},
           {count, false},
           {count, false},
           {count, false},
           {1, false},
           {1, false},
           {count, false},
           {count, false},
           {count, false}});
  // Seven streams, as the update has.
  Floats from(7 * count / 2), to(7 * count / 2);
  report("copy", 28.0 * static_cast<double>(count),
         bestSeconds([&] { std::memcpy(to.data(), from.data(), 14 * count); }));
}

void measureSums(Isa isa) {
  GroupCase g(1);
  int64_t shape[4] = {-1, 64, 28, 28}, image = 64 * 28 * 28;
  std::string type = tensor(shape, "#b"), channels = tensor({64}, "#v");
  std::string gradient = g.input(type), x = g.input(type), mean = g.input(channels);
  std::string centred = g.op("broadcast", {mean}, ints("dims", {1}) + ", " + ints("shape", shape), type);
  std::string product = g.op("mul", {gradient, g.op("sub", {x, centred}, "", type)}, "", type);
  std::string over = "kind = #cnn.reduce_kind<sum>, dims = array<i64: 0, 2, 3>";
  g.result(g.op("reduce", {gradient}, over, channels));
  g.result(g.op("reduce", {product}, over, channels));
  measure("batch norm's backward sums", isa, g, KernelKind::Reduce, 32,
          {{image, true}, {image, true}, {64, false}, {64, false}, {64, false}});
}

void measurePool(Isa isa, const char *name, int64_t extent, int64_t kernel, int64_t stride, int64_t pad) {
  GroupCase g(1);
  int64_t outputs = (extent + 2 * pad - kernel) / stride + 1;
  std::string image = tensor({-1, 64, extent, extent}, "#b"), pooled = tensor({-1, 64, outputs, outputs}, "#b");
  g.result(g.op("max_pool_grad", {g.input(image), g.input(pooled)},
                ints("kernel", {kernel, kernel}) + ", " + ints("strides", {stride, stride}) + ", " +
                    ints("padding", {pad, pad, pad, pad}),
                image));
  measure(name, isa, g, KernelKind::PoolGrad, 32,
          {{64 * extent * extent, true}, {64 * outputs * outputs, true}, {64 * extent * extent, true}});
}

void measureDraws(Isa isa, const char *op) {
  GroupCase g(1);
  int64_t shape[2] = {-1, 4096};
  std::string seed = g.input("tensor<i64>"), step = g.input("tensor<i64>"), like = g.input(tensor({-1, 1}));
  g.result(g.op(op, {seed, step, like}, ints("shape", shape) + ", path = \"noise\"", tensor(shape)));
  measure(op, isa, g, KernelKind::Random, 32, {{2, false}, {2, false}, {1, true}, {4096, true}});
}

} // namespace

int main(int argc, char **argv) {
  Isa isa = *llvm::find_if(allIsas(), hostSupports);
  if (argc == 3 && std::string(argv[1]) == "--isa") {
    std::optional<Isa> named = parseIsa(argv[2]);
    if (!named) {
      fprintf(stderr, "training_bench: there is no instruction set '%s'\n", argv[2]);
      return 1;
    }
    isa = *named;
  } else if (argc != 1) {
    fprintf(stderr, "usage: training_bench [--isa NAME]\n");
    return 1;
  }
  printf("%s\n", isaInfo(isa).name.str().c_str());
  measureUpdate(isa, 1 << 20);
  measureSums(isa);
  measurePool(isa, "max_pool_grad 2x2, stride 2", 28, 2, 2, 0);
  measurePool(isa, "max_pool_grad 3x3, stride 2", 28, 3, 2, 1);
  measureDraws(isa, "random_uniform");
  measureDraws(isa, "random_normal");
}
