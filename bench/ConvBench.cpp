// The 3x3 and 1x1 convolutions of ResNet-50 at batch 1 on one thread, each with bias and relu and, where the network
// has it, the residual: time, and share of the FMA rate that this machine reaches. Weights are cold, as in a network:
// every call takes another copy from a pool larger than the last-level cache. Calls of all shapes are interleaved and
// the best of many counts. The share counts the multiply-adds of the direct method, those of padding included.
//
//   conv_bench [--isa NAME] [--rounds N] [--warm] [--filter TEXT] [--shape C,SIZE,K,KERNEL,STRIDE[,planar|,depthwise]]
//              [--winograd] [--sweep] [--tile ROWSxCOLUMNSxBLOCKS] [--unroll N] [--unit-tiles N] [--weights-outer 0|1]
//              [--prefetch BYTES] [--prefetch-next 0|1] [--assembly]
//
// With --sweep every tile that the instruction set holds is tried on each shape that matches. With --winograd the 3x3
// convolutions of stride 1 are computed by F(4x4, 3x3), and the time of the three kernels is given.
#include "bench/Peak.h"
#include "codegen/cpu/DepthwiseKernel.h"
#include "codegen/cpu/WinogradKernels.h"

#include <algorithm>
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

Epilogue epilogueOf(bool residual) {
  return [residual](KernelBuilder &b, mlir::Value value, const EpiloguePosition &at) {
    if (residual)
      value = b.addf(value, b.loadBlock(b.offset(b.imageOf(3, at.image), at.bytes), at.displacement));
    return b.maxf(b.splat(0.0f), value);
  };
}

/// A convolution with its data, timed again and again.
class Trial {
public:
  Trial(const Layer &layer, const ConvTile &tile, bool winograd, Isa isa, const Floats &pool, const Floats &images)
      : layer(layer), tile(tile), pool(pool), images(images), jit(isa, [&](KernelBuilder &b) { build(b, winograd); }) {
    const ConvProblem &p = layer.problem;
    for (const KernelInfo &info : infos)
      functions.push_back(jit.lookup(info.symbol));
    kernelSeconds.assign(infos.size(), 1e9);
    auto padded = [](int64_t channels) { return (channels + kBlock - 1) / kBlock * kBlock; };
    weightFloats = padded(p.outputs) * padded(p.channels / p.groups) * (winograd ? 36 : p.kernelHeight * p.kernelWidth);
    inputFloats = padded(p.channels) * p.height * p.width;
    outputFloats = padded(p.outputs) * p.outHeight * p.outWidth;
  }

  void measure(bool warm) {
    if (!warm && (next += weightFloats) + weightFloats > pool.size())
      next = 0;
    char *input = images.bytes(), *residual = input + 4 * inputFloats;
    char *output = residual + (layer.residual ? 4 * outputFloats : 0), *weights = pool.bytes() + 4 * next;
    // The output's memory was last used some layers ago, the residual more lately, and the input has just been written.
    int64_t used = inputFloats + (layer.residual ? 2 : 1) * outputFloats;
    for (int64_t i = used - 16; i >= 0; i -= 16)
      images[i] += 0.0f;
    char *transformed = output + 4 * outputFloats;
    char *products = transformed + winogradSizes(layer.problem).inputBytes;
    std::vector<std::vector<char *>> operands = {{input, weights, pool.bytes(), residual, output}};
    if (infos.size() == 3)
      operands = {
          {input, transformed}, {transformed, weights, products}, {products, nullptr, pool.bytes(), residual, output}};
    double start = threadSeconds(), last = start;
    for (size_t i = 0; i < infos.size(); ++i) {
      runKernel(functions[i], operands[i], {0, 0, 0, 0, 0}, 1, infos[i].unitsPerImage);
      double now = threadSeconds();
      kernelSeconds[i] = std::min(kernelSeconds[i], now - last);
      last = now;
    }
    best = std::min(best, last - start);
  }

  double gflops() const { return 2e-9 * layer.problem.multiplyAdds() / best; }

  Layer layer;
  ConvTile tile;
  const Floats &pool, &images;
  std::vector<KernelInfo> infos;
  KernelJit jit;
  std::vector<KernelFunction> functions;
  std::vector<double> kernelSeconds;
  int64_t weightFloats, inputFloats, outputFloats, next = 0;
  double best = 1e9;

private:
  void build(KernelBuilder &b, bool winograd) {
    const ConvProblem &p = layer.problem;
    ConvOperands operands{.input = 0, .weights = 1, .bias = 2, .output = 4, .count = 5};
    if (layer.residual)
      operands.residuals = {3};
    Epilogue epilogue = epilogueOf(layer.residual);
    if (winograd) {
      infos.push_back(buildWinogradInputKernel(b, "input", p, {.input = 0, .output = 1, .count = 2}));
      infos.push_back(
          buildWinogradProductKernel(b, "product", p, tile, {.input = 0, .weights = 1, .output = 2, .count = 3}));
      infos.push_back(buildWinogradOutputKernel(b, "output", p, operands, epilogue));
    } else if (p.groups > 1) {
      infos.push_back(buildDepthwiseKernel(b, "conv", p, operands, epilogue));
    } else {
      infos.push_back(buildConvKernel(b, "conv", p, tile, operands, epilogue));
    }
  }
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
  Isa isa = bestIsa();
  int rounds = 40;
  std::string filter;
  std::vector<Layer> layers = resnet50();
  bool sweep = false, winograd = false, assembly = false, warm = false;
  std::vector<std::pair<std::string, std::string>> overrides;
  for (int i = 1; i < argc; ++i) {
    std::string name = argv[i], value = i + 1 < argc ? argv[i + 1] : "";
    if (name == "--sweep")
      sweep = true;
    else if (name == "--assembly")
      assembly = true;
    else if (name == "--winograd")
      winograd = true;
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
      else if (name == "--shape") {
        long c, size, k, kernel, stride;
        if (sscanf(value.c_str(), "%ld,%ld,%ld,%ld,%ld", &c, &size, &k, &kernel, &stride) != 5) {
          fprintf(stderr, "--shape wants CHANNELS,SIZE,OUTPUTS,KERNEL,STRIDE\n");
          return 2;
        }
        layers = {{conv(c, size, k, kernel, stride), 1, false}};
        layers[0].problem.planarInput = value.ends_with(",planar");
        if (value.ends_with(",depthwise"))
          layers[0].problem.groups = c;
      } else
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
  for (const Layer &layer : layers) {
    if (!filter.empty() && layerName(layer.problem).find(filter) == std::string::npos)
      continue;
    const ConvProblem &p = layer.problem;
    if (winograd && (p.kernelHeight != 3 || p.kernelWidth != 3 || p.strideY != 1 || p.strideX != 1 || p.groups != 1))
      continue;
    ConvProblem tiled = winograd ? winogradSizes(p).product : p;
    trials.push_back(std::make_unique<Trial>(layer, adjust(chooseTile(tiled, isa)), winograd, isa, pool, images));
    if (!sweep)
      continue;
    for (const ConvTile &tile : candidateTiles(tiled, isa)) {
      ConvTile other = adjust(tile);
      if (tile.rows * tile.columns * tile.blocks * 2 >= isaInfo(isa).registers / isaInfo(isa).registersPerBlock)
        trials.push_back(std::make_unique<Trial>(layer, other, winograd, isa, pool, images));
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
    if (winograd)
      printf("%-20s input %.1f us, product %.1f, output %.1f\n", "", t->kernelSeconds[0] * 1e6,
             t->kernelSeconds[1] * 1e6, t->kernelSeconds[2] * 1e6);
    time += t->layer.count * t->best;
    work += t->layer.count * 2e-9 * t->layer.problem.multiplyAdds();
    build += t->jit.milliseconds(), code += t->jit.codeBytes();
  }
  if (!sweep)
    printf("all %zu shapes: %.2f ms, %.1f GFLOP/s, %.1f%% of peak; built in %.0f ms, %zu KB\n", trials.size(),
           time * 1e3, work / time, 100 * work / time / peak.gflops(), build, code >> 10);
  return 0;
}
