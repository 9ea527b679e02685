// The contractions that training adds, on one thread, with the shapes of examples/mnist_cnn (batch 256), an MLP (256)
// and ResNet-20 (128): gradients by weights, and products of matrices. Time of all kernels of a group, and share of the
// FMA rate that this machine reaches, by the multiply-adds of the direct method, those of padding included. Calls of
// all shapes are interleaved and the best of many counts; what a call reads was not touched since the last round.
//
//   step_bench [--isa NAME] [--rounds N] [--filter TEXT] [--rows N] [--blocks N] [--chunk N] [--assembly]
#include "bench/Peak.h"
#include "codegen/cpu/GemmKernel.h"
#include "codegen/cpu/WeightGradKernel.h"
#include "codegen/cpu/WinogradKernels.h"
#include "codegen/cpu/WinogradWeightGrad.h"

#include <cstdio>
#include <cstdlib>
#include <functional>

using namespace cnn::cpu;

namespace {

struct Options {
  int rows = 0, blocks = 0, chunk = 0;
};

/// Kernels with their memory, timed again and again.
struct Trial {
  std::string name;
  double multiplyAdds = 0;
  int64_t batch = 1;
  std::unique_ptr<KernelJit> jit;
  struct Call {
    KernelInfo info;
    std::vector<int> buffers;
    std::vector<int64_t> strides;
  };
  std::vector<Call> calls;
  std::vector<Floats> memory;
  std::vector<double> seconds;
  double best = 1e9;

  void measure() {
    std::vector<KernelFunction> functions;
    for (const Call &call : calls)
      functions.push_back(jit->lookup(call.info.symbol));
    seconds.resize(calls.size(), 1e9);
    double start = threadSeconds(), last = start;
    for (size_t i = 0; i < calls.size(); ++i) {
      std::vector<char *> buffers;
      for (int buffer : calls[i].buffers)
        buffers.push_back(memory[buffer].bytes());
      runKernel(functions[i], buffers, calls[i].strides, batch,
                calls[i].info.fixedUnits + batch * calls[i].info.unitsPerImage, memory.back().bytes());
      double now = threadSeconds();
      seconds[i] = std::min(seconds[i], now - last);
      last = now;
    }
    best = std::min(best, last - start);
  }
};

int64_t padded(int64_t channels) { return (channels + kBlock - 1) / kBlock * kBlock; }

Trial weightGrad(Isa isa, const Options &options, int64_t channels, int64_t size, int64_t outputs, int64_t kernel,
                 int64_t stride, int64_t pad, int64_t batch) {
  int64_t out = (size + 2 * pad - kernel) / stride + 1;
  ConvProblem p{.channels = channels,
                .height = size,
                .width = size,
                .outputs = outputs,
                .outHeight = out,
                .outWidth = out,
                .kernelHeight = kernel,
                .kernelWidth = kernel,
                .strideY = stride,
                .strideX = stride,
                .padTop = pad,
                .padLeft = pad,
                .planarInput = channels <= 4};
  WeightGradPlan plan = planWeightGrad(p, isa);
  if (options.rows)
    plan.rows = options.rows;
  if (options.blocks)
    plan.blocks = options.blocks;
  if (options.chunk)
    plan.chunk = options.chunk;
  Trial trial;
  trial.name = "weight_grad " + std::to_string(channels) + "-" + std::to_string(outputs) + " k" +
               std::to_string(kernel) + " s" + std::to_string(stride) + " @" + std::to_string(out) + " x" +
               std::to_string(batch);
  trial.multiplyAdds = double(p.multiplyAdds()) * batch;
  trial.batch = batch;
  KernelInfo sum, finish;
  trial.jit = std::make_unique<KernelJit>(isa, [&](KernelBuilder &b) {
    sum = buildWeightGradSumKernel(b, "sum", p, plan);
    finish = buildWeightGradFinishKernel(b, "finish", p, false);
  });
  int64_t input = (p.planarInput ? channels : padded(channels)) * size * size, gradient = padded(outputs) * out * out;
  trial.memory.emplace_back(batch * input, 0.5f);
  trial.memory.emplace_back(batch * gradient, 0.5f);
  trial.memory.emplace_back(weightGradScratchBytes(p) / 4);
  trial.memory.emplace_back(outputs * channels * kernel * kernel);
  trial.memory.emplace_back(1);
  trial.calls.push_back({sum, {0, 1, 2}, {input * 4, gradient * 4, 0}});
  trial.calls.push_back({finish, {2, 3}, {0, 0}});
  return trial;
}

Trial winogradWeightGrad(Isa isa, int64_t channels, int64_t size, int64_t outputs, int64_t pad, int64_t batch) {
  int64_t out = size + 2 * pad - 2;
  ConvProblem p{.channels = channels,
                .height = size,
                .width = size,
                .outputs = outputs,
                .outHeight = out,
                .outWidth = out,
                .kernelHeight = 3,
                .kernelWidth = 3,
                .padTop = pad,
                .padLeft = pad};
  Trial trial;
  trial.name = "winograd weight_grad " + std::to_string(channels) + "-" + std::to_string(outputs) + " @" +
               std::to_string(out) + " x" + std::to_string(batch);
  trial.multiplyAdds = double(p.multiplyAdds()) * batch;
  trial.batch = batch;
  KernelInfo sum, transform, finish;
  trial.jit = std::make_unique<KernelJit>(isa, [&](KernelBuilder &b) {
    sum = buildWinogradWeightGradSumKernel(b, "sum", p);
    transform = buildWinogradWeightGradTransformKernel(b, "transform", p);
    finish = buildWeightGradFinishKernel(b, "finish", p, /*packed=*/false, /*slices=*/1);
  });
  WinogradWeightGradSizes sizes = winogradWeightGradSizes(p);
  int64_t input = padded(channels) * size * size, gradient = padded(outputs) * out * out;
  trial.memory.emplace_back(batch * input, 0.5f);
  trial.memory.emplace_back(batch * gradient, 0.5f);
  trial.memory.emplace_back(sizes.productBytes / 4);
  trial.memory.emplace_back(sizes.transformBytes / 4);
  trial.memory.emplace_back(outputs * channels * 9);
  trial.memory.emplace_back(sum.scratchBytes / 4);
  trial.calls.push_back({sum, {0, 1, 2}, {input * 4, gradient * 4, 0}});
  trial.calls.push_back({transform, {2, 3}, {0, 0}});
  trial.calls.push_back({finish, {3, 4}, {0, 0}});
  return trial;
}

/// A convolution of a batch: forward, or by its input with flipped kernels.
Trial winogradConv(Isa isa, int64_t channels, int64_t size, int64_t outputs, int64_t pad, int64_t batch) {
  int64_t out = size + 2 * pad - 2;
  ConvProblem p{.channels = channels,
                .height = size,
                .width = size,
                .outputs = outputs,
                .outHeight = out,
                .outWidth = out,
                .kernelHeight = 3,
                .kernelWidth = 3,
                .padTop = pad,
                .padLeft = pad};
  Trial trial;
  trial.name = "winograd conv " + std::to_string(channels) + "-" + std::to_string(outputs) + " @" +
               std::to_string(out) + " x" + std::to_string(batch);
  trial.multiplyAdds = double(p.multiplyAdds()) * batch;
  trial.batch = batch;
  KernelInfo info;
  ConvTile tile = chooseTile(winogradSizes(p, winogradBatchImages(p)).product, isa);
  trial.jit = std::make_unique<KernelJit>(isa, [&](KernelBuilder &b) {
    info = buildWinogradBatchKernel(b, "conv", p, tile, {.input = 0, .weights = 1, .output = 2, .count = 3}, nullptr);
  });
  int64_t input = padded(channels) * size * size, output = padded(outputs) * out * out;
  trial.memory.emplace_back(batch * input, 0.5f);
  trial.memory.emplace_back(36 * padded(outputs) * channels, 0.5f);
  trial.memory.emplace_back(batch * output);
  trial.memory.emplace_back(info.scratchBytes / 4);
  trial.calls.push_back({info, {0, 1, 2}, {input * 4, 0, output * 4}});
  return trial;
}

Trial gemm(Isa isa, const Options &options, const char *what, GemmProblem p, int64_t batch) {
  GemmTile tile = chooseGemmTile(p, isa);
  if (options.rows)
    tile.rows = options.rows;
  if (options.blocks)
    tile.blocks = options.blocks;
  bool depth = p.batch == GemmBatch::Depth;
  (depth ? p.depth : p.rows) = batch;
  Trial trial;
  trial.name = std::string(what) + " " + std::to_string(p.rows) + " x " + std::to_string(p.columns) + " x " +
               std::to_string(p.depth);
  trial.multiplyAdds = double(p.rows) * p.columns * p.depth;
  trial.batch = batch;
  KernelInfo info;
  trial.jit =
      std::make_unique<KernelJit>(isa, [&](KernelBuilder &b) { info = buildGemmKernel(b, "gemm", p, tile, {}); });
  trial.memory.emplace_back(p.rows * p.depth, 0.5f);
  trial.memory.emplace_back(p.columns * p.depth, 0.5f);
  trial.memory.emplace_back(p.rows * p.columns);
  trial.memory.emplace_back(info.scratchBytes / 4);
  trial.calls.push_back(
      {info, {0, 1, 2}, {(depth ? p.rows : p.depth) * 4, depth ? p.columns * 4 : 0, depth ? 0 : p.columns * 4}});
  return trial;
}

/// The three products of a dense layer.
void dense(std::vector<std::function<Trial()>> &trials, Isa isa, const Options &options, int64_t inputs,
           int64_t outputs, int64_t batch) {
  trials.push_back([=] {
    return gemm(isa, options, "dense",
                {.columns = outputs, .depth = inputs, .transposeRhs = true, .batch = GemmBatch::Rows}, batch);
  });
  trials.push_back([=] {
    return gemm(isa, options, "dense data grad", {.columns = inputs, .depth = outputs, .batch = GemmBatch::Rows},
                batch);
  });
  trials.push_back([=] {
    return gemm(isa, options, "dense weight grad",
                {.rows = outputs, .columns = inputs, .transposeLhs = true, .batch = GemmBatch::Depth}, batch);
  });
}

} // namespace

int main(int argc, char **argv) {
  Isa isa = bestIsa();
  int rounds = 20;
  std::string filter;
  Options options;
  bool assembly = false;
  for (int i = 1; i < argc; ++i) {
    std::string name = argv[i];
    if (name == "--assembly") {
      assembly = true;
      continue;
    }
    std::string value = ++i < argc ? argv[i] : "";
    if (name == "--isa" && parseIsa(value))
      isa = *parseIsa(value);
    else if (name == "--rounds")
      rounds = atoi(value.c_str());
    else if (name == "--filter")
      filter = value;
    else if (name == "--rows")
      options.rows = atoi(value.c_str());
    else if (name == "--blocks")
      options.blocks = atoi(value.c_str());
    else if (name == "--chunk")
      options.chunk = atoi(value.c_str());
    else {
      fprintf(stderr, "unknown option %s\n", name.c_str());
      return 2;
    }
  }

  std::vector<std::function<Trial()>> makers;
  auto conv = [&](int64_t channels, int64_t size, int64_t outputs, int64_t kernel, int64_t stride, int64_t pad,
                  int64_t batch) {
    makers.push_back([=] { return weightGrad(isa, options, channels, size, outputs, kernel, stride, pad, batch); });
  };
  conv(1, 28, 32, 3, 1, 0, 256);
  conv(32, 13, 64, 3, 1, 0, 256);
  conv(3, 32, 16, 3, 1, 1, 128);
  conv(16, 32, 16, 3, 1, 1, 128);
  conv(16, 32, 32, 3, 2, 1, 128);
  conv(32, 16, 32, 3, 1, 1, 128);
  conv(32, 16, 64, 3, 2, 1, 128);
  conv(64, 8, 64, 3, 1, 1, 128);
  conv(16, 32, 32, 1, 2, 0, 128);
  conv(256, 14, 256, 3, 1, 1, 8);
  conv(3, 224, 64, 7, 2, 3, 4);
  for (auto [channels, size, outputs, pad, batch] : {std::tuple{32, 13, 64, 0, 256},
                                                     {64, 11, 32, 2, 256},
                                                     {16, 32, 16, 1, 128},
                                                     {32, 16, 32, 1, 128},
                                                     {64, 8, 64, 1, 128},
                                                     {256, 14, 256, 1, 8}}) {
    if (channels != 64 || pad != 2)
      makers.push_back([=] { return winogradWeightGrad(isa, channels, size, outputs, pad, batch); });
    makers.push_back([=] { return winogradConv(isa, channels, size, outputs, pad, batch); });
  }
  for (auto [inputs, outputs] : {std::pair{1600, 64}, {1152, 64}, {784, 512}, {512, 512}, {512, 10}})
    dense(makers, isa, options, inputs, outputs, 256);

  Peak peak(isa);
  std::vector<Trial> trials;
  for (const auto &make : makers) {
    Trial trial = make();
    if (trial.name.find(filter) != std::string::npos)
      trials.push_back(std::move(trial));
  }
  if (assembly && !trials.empty())
    printf("%s", trials.front().jit->assembly().c_str());
  for (int round = 0; round < rounds; ++round) {
    peak.measure();
    for (Trial &trial : trials)
      trial.measure();
  }
  printf("%s, FMA peak %.1f GFLOP/s\n", isaInfo(isa).name.str().c_str(), peak.gflops());
  printf("%-40s %9s %8s %6s %6s %6s  %s\n", "kernels", "us", "GFLOP/s", "share", "spills", "build", "each us");
  for (Trial &trial : trials) {
    double gflops = 2e-9 * trial.multiplyAdds / trial.best;
    printf("%-40s %9.1f %8.1f %5.1f%% %6d %4.0fms ", trial.name.c_str(), trial.best * 1e6, gflops,
           100 * gflops / peak.gflops(), int(countSpills(trial.jit->assembly())), trial.jit->milliseconds());
    for (double seconds : trial.seconds)
      printf(" %.1f", seconds * 1e6);
    printf("\n");
  }
  return 0;
}
