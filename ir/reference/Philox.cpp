// The hash of a path and the normal distribution's quantile.
#include "ir/reference/Philox.h"

#include <cmath>

namespace cnn::reference {

uint64_t pathHash(llvm::StringRef path) {
  uint64_t hash = 0xcbf29ce484222325;
  for (unsigned char byte : path.bytes())
    hash = (hash ^ byte) * 0x100000001b3;
  return hash >> 48 ^ (hash & 0xFFFFFFFFFFFF);
}

/// ((c[0] x + c[1]) x + ...) x + c[N-1]
template <int N> static double polynomial(double x, const double (&coefficients)[N]) {
  double value = coefficients[0];
  for (int i = 1; i < N; ++i)
    value = value * x + coefficients[i];
  return value;
}

/// The natural logarithm of 0 < x < 1: x = m 2^e with m in [1/2, 1), ln m = 2 artanh(z) = 2 (z + z^3/3 + z^5/5 ...)
/// with z = (m - 1) / (m + 1), |z| <= 1/3; the terms to z^33 leave less than 2^-55.
static double logarithm(double x) {
  int exponent;
  double mantissa = std::frexp(x, &exponent);
  double z = (mantissa - 1) / (mantissa + 1), square = z * z, sum = 0;
  for (int k = 33; k >= 1; k -= 2)
    sum = sum * square + 1.0 / k;
  return 2 * z * sum + exponent * 0.6931471805599453;
}

double toNormal(uint32_t word) {
  double p = (word + 0.5) * 0x1p-32, q = p - 0.5;
  if (std::fabs(q) <= 0.425) {
    double r = 0.180625 - q * q;
    return q *
           polynomial(r, {2.5090809287301226727e3, 3.3430575583588128105e4, 6.7265770927008700853e4,
                          4.5921953931549871457e4, 1.3731693765509461125e4, 1.9715909503065514427e3,
                          1.3314166789178437745e2, 3.3871328727963666080e0}) /
           polynomial(r, {5.2264952788528545610e3, 2.8729085735721942674e4, 3.9307895800092710610e4,
                          2.1213794301586595867e4, 5.3941960214247511077e3, 6.8718700749205790830e2,
                          4.2313330701600911252e1, 1.0});
  }
  double r = std::sqrt(-logarithm(q < 0 ? p : 1 - p)), quantile;
  if (r <= 5) {
    r -= 1.6;
    quantile = polynomial(r, {7.74545014278341407640e-4, 2.27238449892691845833e-2, 2.41780725177450611770e-1,
                              1.27045825245236838258e0, 3.64784832476320460504e0, 5.76949722146069140550e0,
                              4.63033784615654529590e0, 1.42343711074968357734e0}) /
               polynomial(r, {1.05075007164441684324e-9, 5.47593808499534494600e-4, 1.51986665636164571966e-2,
                              1.48103976427480074590e-1, 6.89767334985100004550e-1, 1.67638483018380384940e0,
                              2.05319162663775882187e0, 1.0});
  } else {
    r -= 5;
    quantile = polynomial(r, {2.01033439929228813265e-7, 2.71155556874348757815e-5, 1.24266094738807843860e-3,
                              2.65321895265761230930e-2, 2.96560571828504891230e-1, 1.78482653991729133580e0,
                              5.46378491116411436990e0, 6.65790464350110377720e0}) /
               polynomial(r, {2.04426310338993978564e-15, 1.42151175831644588870e-7, 1.84631831751005468180e-5,
                              7.86869131145613259100e-4, 1.48753612908506148525e-2, 1.36929880922735805310e-1,
                              5.99832206555887937690e-1, 1.0});
  }
  return q < 0 ? -quantile : quantile;
}

} // namespace cnn::reference
