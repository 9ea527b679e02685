// The 3x3 and 1x1 convolutions of ResNet-50 at batch 1 on one thread, each with bias and relu and, where the network
// has it, the residual: time, and share of the FMA rate that this machine reaches. Weights are cold, as in a network:
// every call takes another copy from a pool larger than the last-level cache. Calls of all shapes are interleaved and
// the best of many counts.
//
//   conv_bench [--isa NAME] [--rounds N] [--filter TEXT] [--sweep] [--tile ROWSxCOLUMNSxBLOCKS] [--unroll N]
//   [--prefetch BYTES]
//              [--prefetch-next 0|1] [--weights-outer 0|1] [--unit-tiles N] [--assembly] [--warm]
//
// With --sweep every tile that the instruction set holds is tried on each shape that matches.
#include "codegen/cpu/ConvKernel.h"
#include "test/unit/codegen/cpu/KernelJit.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>

using namespace cnn::cpu;

namespace {

struct Layer {
  ConvProblem problem;
  int count;     ///< Times it occurs in the network.
  bool residual; ///< Followed by the addition of the block's input.
};

ConvProblem conv(int64_t channels, int64_t size, int64_t outputs, int64_t kernel, int64_t stride) {
  int64_t out = size / stride;
  return {.channels = channels,
          .height = size,
          .width = size,
          .outputs = outputs,
          .outHeight = out,
          .outWidth = out,
          .kernelHeight = kernel,
          .kernelWidth = kernel,
          .strideY = stride,
          .strideX = stride,
          .padTop = kernel / 2,
          .padLeft = kernel / 2};
}

std::vector<Layer> resnet50() {
  std::vector<Layer> layers;
  int64_t input = 64, size = 56;
  for (auto [width, blocks] : {std::pair{64, 3}, {128, 4}, {256, 6}, {512, 3}}) {
    int64_t stride = width == 64 ? 1 : 2, out = size / stride;
    layers.push_back({conv(input, size, width, 1, 1), 1, false});
    layers.push_back({conv(width, size, width, 3, stride), stride == 1 ? blocks : 1, false});
    layers.push_back({conv(width, out, 4 * width, 1, 1), blocks, true});
    layers.push_back({conv(input, size, 4 * width, 1, stride), 1, false});
    layers.push_back({conv(4 * width, out, width, 1, 1), blocks - 1, false});
    if (stride == 2)
      layers.push_back({conv(width, out, width, 3, 1), blocks - 1, false});
    input = 4 * width, size = out;
  }
  return layers;
}

double seconds() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

/// The FMA rate: enough independent sums to fill the pipelines and nothing else.
class Peak {
public:
  explicit Peak(Isa isa)
      : sums(isaInfo(isa).registers * 3 / 4 / isaInfo(isa).registersPerBlock),
        jit(isa,
            [&](KernelBuilder &b) {
              b.kernel("peak", 1, [&] {
                llvm::SmallVector<mlir::Value> init;
                for (int i = 0; i < sums; ++i)
                  init.push_back(b.loadBlock(b.buffer(0), 64 * i));
                mlir::Value x = b.loadBlock(b.buffer(0), 64 * sums);
                auto last = b.forLoop(b.begin(), b.end(), 1, init, [&](mlir::Value, mlir::ValueRange carried) {
                  llvm::SmallVector<mlir::Value> next(carried);
                  for (int repeat = 0; repeat < 4; ++repeat)
                    for (mlir::Value &sum : next)
                      sum = b.fma(x, x, sum);
                  return next;
                });
                for (int i = 0; i < sums; ++i)
                  b.storeBlock(last[i], b.buffer(0), 64 * i);
              });
            }),
        data(16 * 64), function(jit.lookup("peak")) {}

  void measure() {
    constexpr int64_t kTimes = 20000;
    double start = seconds();
    runKernel(function, {data.bytes()}, {0}, 1, kTimes);
    best = std::max(best, kTimes * 4.0 * sums * kBlock * 2 / (seconds() - start) * 1e-9);
  }
  double gflops() const { return best; }

private:
  int64_t sums;
  KernelJit jit;
  Floats data;
  KernelFunction function;
  double best = 0;
};

Epilogue epilogueOf(bool residual) {
  return [residual](KernelBuilder &b, mlir::Value value, const EpiloguePosition &at) {
    if (residual)
      value = b.addf(value, b.loadBlock(b.offset(b.imageOf(3, at.image), at.bytes), at.displacement));
    return b.maxf(b.splat(0.0f), value);
  };
}

/// One kernel with its data, timed again and again.
class Trial {
public:
  Trial(const Layer &layer, const ConvTile &tile, Isa isa, const Floats &pool, const Floats &images)
      : layer(layer), tile(tile), pool(pool), images(images),
        jit(isa,
            [&](KernelBuilder &b) {
              ConvOperands operands{.input = 0, .weights = 1, .bias = 2, .output = 4, .count = 5};
              if (layer.residual)
                operands.residuals = {3};
              info = buildConvKernel(b, "conv", layer.problem, tile, operands, epilogueOf(layer.residual));
            }),
        function(jit.lookup("conv")) {
    const ConvProblem &p = layer.problem;
    weightFloats = p.outputs * p.channels * p.kernelHeight * p.kernelWidth;
    inputFloats = p.channels * p.height * p.width;
    outputFloats = p.outputs * p.outHeight * p.outWidth;
  }

  void measure(bool warm) {
    if (!warm && (next += weightFloats) + weightFloats > pool.size())
      next = 0;
    char *input = images.bytes(), *residual = input + 4 * inputFloats;
    char *output = residual + (layer.residual ? 4 * outputFloats : 0);
    // The output's memory was last used some layers ago, the residual more lately, and the input has just been written.
    int64_t used = inputFloats + (layer.residual ? 2 : 1) * outputFloats;
    for (int64_t i = used - 16; i >= 0; i -= 16)
      images[i] += 0.0f;
    double start = seconds();
    runKernel(function, {input, pool.bytes() + 4 * next, pool.bytes(), residual, output}, {0, 0, 0, 0, 0}, 1,
              info.unitsPerImage);
    best = std::min(best, seconds() - start);
  }

  double gflops() const { return 2e-9 * layer.problem.multiplyAdds() / best; }

  Layer layer;
  ConvTile tile;
  const Floats &pool, &images;
  KernelInfo info;
  KernelJit jit;
  KernelFunction function;
  int64_t weightFloats, inputFloats, outputFloats, next = 0;
  double best = 1e9;
};

std::string tileName(const ConvTile &t) {
  return std::to_string(t.rows) + "x" + std::to_string(t.columns) + "x" + std::to_string(t.blocks) + " u" +
         std::to_string(t.unroll) + " p" + std::to_string(t.prefetchWeights) + (t.prefetchNext ? " n" : "  ") +
         (t.weightsOuter ? " w" : " x") + std::to_string(t.unitTiles);
}

std::string layerName(const ConvProblem &p) {
  return std::to_string(p.channels) + "-" + std::to_string(p.outputs) + " k" + std::to_string(p.kernelHeight) + " s" +
         std::to_string(p.strideY) + " @" + std::to_string(p.outHeight);
}

} // namespace

int main(int argc, char **argv) {
  Isa isa = Isa::Sse;
  for (Isa candidate : allIsas())
    if (hostSupports(candidate)) {
      isa = candidate;
      break;
    }
  int rounds = 40;
  std::string filter;
  bool sweep = false, assembly = false, warm = false;
  std::vector<std::pair<std::string, std::string>> overrides;
  for (int i = 1; i < argc; ++i) {
    std::string name = argv[i], value = i + 1 < argc ? argv[i + 1] : "";
    if (name == "--sweep")
      sweep = true;
    else if (name == "--assembly")
      assembly = true;
    else if (name == "--warm")
      warm = true;
    else {
      ++i;
      if (name == "--isa" && parseIsa(value))
        isa = *parseIsa(value);
      else if (name == "--rounds")
        rounds = atoi(value.c_str());
      else if (name == "--filter")
        filter = value;
      else
        overrides.emplace_back(name, value);
    }
  }
  auto adjust = [&](ConvTile tile) {
    for (auto &[name, value] : overrides) {
      int number = atoi(value.c_str());
      int rows, columns, blocks;
      if (name == "--unroll")
        tile.unroll = number;
      else if (name == "--prefetch")
        tile.prefetchWeights = number;
      else if (name == "--prefetch-next")
        tile.prefetchNext = number;
      else if (name == "--weights-outer")
        tile.weightsOuter = number;
      else if (name == "--unit-tiles")
        tile.unitTiles = number;
      else if (name == "--tile" && sscanf(value.c_str(), "%dx%dx%d", &rows, &columns, &blocks) == 3)
        tile.rows = rows, tile.columns = columns, tile.blocks = blocks;
      else {
        fprintf(stderr, "unknown option %s\n", name.c_str());
        exit(2);
      }
    }
    return tile;
  };

  Floats pool(sweep ? 24 << 20 : 48 << 20, 1e-3f), images(8 << 20, 0.5f);
  Peak peak(isa);
  std::vector<std::unique_ptr<Trial>> trials;
  for (const Layer &layer : resnet50()) {
    if (!filter.empty() && layerName(layer.problem).find(filter) == std::string::npos)
      continue;
    ConvTile chosen = adjust(chooseTile(layer.problem, isa));
    trials.push_back(std::make_unique<Trial>(layer, chosen, isa, pool, images));
    if (!sweep)
      continue;
    for (const ConvTile &tile : candidateTiles(layer.problem, isa)) {
      ConvTile other = adjust(tile);
      if (tile.rows * tile.columns * tile.blocks * 2 >= isaInfo(isa).registers / isaInfo(isa).registersPerBlock)
        trials.push_back(std::make_unique<Trial>(layer, other, isa, pool, images));
    }
  }
  if (assembly)
    printf("%s", trials.front()->jit.assembly().c_str());
  for (int round = 0; round < rounds; ++round) {
    peak.measure();
    for (auto &trial : trials)
      trial->measure(warm);
  }

  printf("%s, FMA peak %.1f GFLOP/s\n", isaInfo(isa).name.str().c_str(), peak.gflops());
  printf("%-20s %5s %-28s %8s %8s %6s %6s %6s %5s\n", "layer", "count", "tile", "us", "GFLOP/s", "share", "spills",
         "build", "code");
  double time = 0, work = 0, build = 0;
  size_t code = 0;
  if (sweep)
    std::sort(trials.begin(), trials.end(), [](auto &a, auto &b) {
      auto key = [](const Trial &t) { return std::tuple(layerName(t.layer.problem), t.best, &t); };
      return key(*a) < key(*b);
    });
  for (auto &t : trials) {
    printf("%-20s %5d %-28s %8.1f %8.1f %5.1f%% %6d %4.0fms %4zuK\n", layerName(t->layer.problem).c_str(),
           t->layer.count, tileName(t->tile).c_str(), t->best * 1e6, t->gflops(), 100 * t->gflops() / peak.gflops(),
           int(countSpills(t->jit.assembly())), t->jit.milliseconds(), t->jit.codeBytes() >> 10);
    time += t->layer.count * t->best;
    work += t->layer.count * 2e-9 * t->layer.problem.multiplyAdds();
    build += t->jit.milliseconds(), code += t->jit.codeBytes();
  }
  if (!sweep)
    printf("all %zu shapes: %.2f ms, %.1f GFLOP/s, %.1f%% of peak; built in %.0f ms, %zu KB\n", trials.size(),
           time * 1e3, work / time, 100 * work / time / peak.gflops(), build, code >> 10);
  return 0;
}
