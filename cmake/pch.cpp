// Owns the precompiled header that the sources using MLIR share.
