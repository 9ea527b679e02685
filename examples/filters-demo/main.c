/* Applies the filters of ../filters.cnn to a PNG of 256 x 256 pixels with the library that cnnc makes of them, and
 * writes what they give to another PNG: a column for each filter, zeros beyond the border in the first row and the
 * picture mirrored there in the second. Built by scripts/demo.sh; by hand: cnnc build examples/filters.cnn --output DIR
 *   cc -std=c99 -I DIR main.c DIR/libfilters.a -lpng -o filters-demo && ./filters-demo IN.png OUT.png */
#include "filters.h"

#include <png.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { kSide = FILTERS_PICTURE_DIM2, kPixels = kSide * kSide, kFilters = 6, kRows = 2, kTensors = kFilters * kRows };

static void fail(const char *what, const char *why) {
  fprintf(stderr, "filters-demo: %s: %s\n", what, why);
  exit(1);
}

static void check(int code) {
  if (code != FILTERS_OK)
    fail("filters", filters_error(code));
}

/* Zeros, aligned as the library wants; never freed. */
static void *aligned(size_t bytes) {
  char *memory = calloc(1, bytes + FILTERS_ALIGNMENT);
  if (!memory)
    fail("memory", "there is none left");
  return memory + (FILTERS_ALIGNMENT - (uintptr_t)memory % FILTERS_ALIGNMENT);
}

/* A picture as three planes of floats, red, green, blue, 0 to 255. */
static float *read_picture(const char *file) {
  png_image image;
  unsigned char *pixels = aligned(3 * kPixels);
  float *planes = aligned(3 * kPixels * sizeof(float));
  int channel, pixel;

  memset(&image, 0, sizeof image);
  image.version = PNG_IMAGE_VERSION;
  if (!png_image_begin_read_from_file(&image, file))
    fail(file, image.message);
  if (image.width != kSide || image.height != kSide)
    fail(file, "the filters take pictures of 256 x 256 pixels");
  image.format = PNG_FORMAT_RGB;
  if (!png_image_finish_read(&image, NULL, pixels, 0, NULL))
    fail(file, image.message);
  for (channel = 0; channel < 3; ++channel)
    for (pixel = 0; pixel < kPixels; ++pixel)
      planes[channel * kPixels + pixel] = pixels[3 * pixel + channel];
  return planes;
}

/* Copies a filter's planes into the sheet. What is negative is shown by its magnitude where `by_magnitude`, else black.
 */
static void draw(unsigned char *sheet, int row, int column, const float *planes, int by_magnitude) {
  int channel, y, x;
  for (channel = 0; channel < 3; ++channel)
    for (y = 0; y < kSide; ++y)
      for (x = 0; x < kSide; ++x) {
        float value = planes[channel * kPixels + y * kSide + x];
        if (by_magnitude && value < 0)
          value = -value;
        value = value < 0 ? 0 : value > 255 ? 255 : value;
        sheet[3 * ((row * kSide + y) * kSide * kFilters + column * kSide + x) + channel] =
            (unsigned char)(value + 0.5f);
      }
}

static void print_row(const char *filter, const char *border, const float *planes) {
  float least = planes[0], most = planes[0];
  double sum = 0;
  int i;
  for (i = 0; i < 3 * kPixels; ++i) {
    least = planes[i] < least ? planes[i] : least;
    most = planes[i] > most ? planes[i] : most;
    sum += planes[i];
  }
  printf("%-9s %-9s %9.1f %9.1f %9.3f\n", filter, border, least, most, sum / (3 * kPixels));
}

int main(int argc, char **argv) {
  static const char *const names[kFilters] = {"identity", "edges", "outline", "sharpen", "blur", "vertical"};
  static const int by_magnitude[kFilters] = {0, 1, 1, 0, 0, 1};
  filters_session_options options = {sizeof options, 1, 1, NULL};
  filters_model *model = aligned(filters_model_bytes());
  filters_session *session;
  filters_inputs inputs;
  filters_outputs outputs;
  float *tensors[kTensors];
  unsigned char *sheet = aligned(3 * (size_t)kTensors * kPixels);
  png_image image;
  int i;

  if (argc != 3)
    fail("usage", "filters-demo IN.png OUT.png");
  for (i = 0; i < kTensors; ++i)
    tensors[i] = aligned(3 * kPixels * sizeof(float));
  memset(&inputs, 0, sizeof inputs);
  memset(&outputs, 0, sizeof outputs);
  inputs.picture = read_picture(argv[1]);
  outputs.identity = tensors[0];
  outputs.edges = tensors[1];
  outputs.outline = tensors[2];
  outputs.sharpen = tensors[3];
  outputs.blur = tensors[4];
  outputs.vertical = tensors[5];
  outputs.identity_mirrored = tensors[6];
  outputs.edges_mirrored = tensors[7];
  outputs.outline_mirrored = tensors[8];
  outputs.sharpen_mirrored = tensors[9];
  outputs.blur_mirrored = tensors[10];
  outputs.vertical_mirrored = tensors[11];

  check(filters_model_init(model, NULL));
  session = aligned(filters_session_bytes(model, options.max_batch, options.threads));
  check(filters_session_init(session, model, &options));
  check(filters_run(session, 1, &inputs, &outputs));

  printf("computed with %s\n\n%-9s %-9s %9s %9s %9s\n", filters_isa(model), "filter", "border", "smallest", "largest",
         "mean");
  for (i = 0; i < kTensors; ++i) {
    print_row(names[i % kFilters], i < kFilters ? "zeros" : "mirrored", tensors[i]);
    draw(sheet, i / kFilters, i % kFilters, tensors[i], by_magnitude[i % kFilters]);
  }
  memset(&image, 0, sizeof image);
  image.version = PNG_IMAGE_VERSION;
  image.format = PNG_FORMAT_RGB;
  image.width = kSide * kFilters;
  image.height = kSide * kRows;
  if (!png_image_write_to_file(&image, argv[2], 0, sheet, 0, NULL))
    fail(argv[2], image.message);
  filters_session_end(session);
  filters_model_end(model);
  return 0;
}
