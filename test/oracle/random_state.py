"""The numbers of ir/reference/Philox.h and InitialState.h in NumPy: weights and inputs that both sides compute from a seed and a name.

    state(seed, name, "uniform", low, high, shape)       what `--random-weights SEED` gives the variable `name`
    state(seed, name, "normal", mean, deviation, shape)
    random_input(seed, name, shape)                      what the tools give the input `name` when they draw it
"""

import numpy as np

MASK = np.uint64(0xFFFFFFFF)


def path_hash(path):
    value = 0xCBF29CE484222325
    for byte in path.encode():
        value = (value ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return value >> 48 ^ (value & 0xFFFFFFFFFFFF)


def philox(counter, key):
    """Ten rounds of Philox4x32 on four arrays of uint64 that hold 32-bit words."""
    key = list(key)
    for _ in range(10):
        first, second = np.uint64(0xD2511F53) * counter[0], np.uint64(0xCD9E8D57) * counter[2]
        counter = ((second >> np.uint64(32)) ^ counter[1] ^ np.uint64(key[0]), second & MASK,
                   (first >> np.uint64(32)) ^ counter[3] ^ np.uint64(key[1]), first & MASK)
        key = [(key[0] + 0x9E3779B9) & 0xFFFFFFFF, (key[1] + 0xBB67AE85) & 0xFFFFFFFF]
    return counter


def words(seed, path, step, begin, end):
    """The words of the elements [begin, end), where 4 divides begin."""
    block = np.arange(begin // 4, (end + 3) // 4, dtype=np.uint64)
    hashed = path_hash(path)
    high = np.uint64(hashed >> 32 << 16)
    counter = (block & MASK, (block >> np.uint64(32)) & np.uint64(0xFFFF) | high,
               np.full_like(block, step & 0xFFFFFFFF), np.full_like(block, hashed & 0xFFFFFFFF))
    return np.stack(philox(counter, (seed & 0xFFFFFFFF, seed >> 32)), axis=1).reshape(-1)[:end - begin]


def to_uniform(word):
    return (word >> np.uint64(8)).astype(np.float64) * 2.0**-24


def polynomial(x, coefficients):
    value = np.full_like(x, coefficients[0])
    for coefficient in coefficients[1:]:
        value = value * x + coefficient
    return value


def logarithm(x):
    mantissa, exponent = np.frexp(x)
    z = (mantissa - 1) / (mantissa + 1)
    square, total = z * z, np.zeros_like(x)
    for k in range(33, 0, -2):
        total = total * square + 1.0 / k
    return 2 * z * total + exponent * 0.6931471805599453


def to_normal(word):
    """Wichura's algorithm AS 241, PPND16."""
    p = (word.astype(np.float64) + 0.5) * 2.0**-32
    q = p - 0.5
    r = 0.180625 - q * q
    middle = q * polynomial(r, [2.5090809287301226727e3, 3.3430575583588128105e4, 6.7265770927008700853e4,
                                4.5921953931549871457e4, 1.3731693765509461125e4, 1.9715909503065514427e3,
                                1.3314166789178437745e2, 3.3871328727963666080e0]) \
        / polynomial(r, [5.2264952788528545610e3, 2.8729085735721942674e4, 3.9307895800092710610e4,
                         2.1213794301586595867e4, 5.3941960214247511077e3, 6.8718700749205790830e2,
                         4.2313330701600911252e1, 1.0])
    r = np.sqrt(-logarithm(np.where(q < 0, p, 1 - p)))
    near, far = r - 1.6, r - 5
    tail = polynomial(near, [7.74545014278341407640e-4, 2.27238449892691845833e-2, 2.41780725177450611770e-1,
                             1.27045825245236838258e0, 3.64784832476320460504e0, 5.76949722146069140550e0,
                             4.63033784615654529590e0, 1.42343711074968357734e0]) \
        / polynomial(near, [1.05075007164441684324e-9, 5.47593808499534494600e-4, 1.51986665636164571966e-2,
                            1.48103976427480074590e-1, 6.89767334985100004550e-1, 1.67638483018380384940e0,
                            2.05319162663775882187e0, 1.0])
    end = polynomial(far, [2.01033439929228813265e-7, 2.71155556874348757815e-5, 1.24266094738807843860e-3,
                           2.65321895265761230930e-2, 2.96560571828504891230e-1, 1.78482653991729133580e0,
                           5.46378491116411436990e0, 6.65790464350110377720e0]) \
        / polynomial(far, [2.04426310338993978564e-15, 1.42151175831644588870e-7, 1.84631831751005468180e-5,
                           7.86869131145613259100e-4, 1.48753612908506148525e-2, 1.36929880922735805310e-1,
                           5.99832206555887937690e-1, 1.0])
    tail = np.where(r <= 5, tail, end)
    return np.where(np.abs(q) <= 0.425, middle, np.where(q < 0, -tail, tail))


def draw(seed, path, convert, shape):
    count, piece = int(np.prod(shape, dtype=np.int64)), 1 << 22
    values = np.empty(count, np.float32)
    for begin in range(0, count, piece):
        end = min(count, begin + piece)
        values[begin:end] = convert(words(seed, path, 0, begin, end))
    return values.reshape(shape)


def state(seed, name, kind, a, b, shape):
    convert = (lambda word: a + (b - a) * to_uniform(word)) if kind == "uniform" else (lambda word: a + b * to_normal(word))
    return draw(seed, "init:" + name, convert, shape)


def random_input(seed, name, shape):
    return draw(seed, name, to_normal, shape)
