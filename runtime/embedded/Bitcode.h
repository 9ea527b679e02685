/* A runtime's bitcode as data of the compiler: the bytes from CNN_BITCODE_SYMBOL to the same with _end. Included by one
 * source for each runtime, which the build writes. */
#ifndef CNN_BITCODE_H
#define CNN_BITCODE_H

#define CNN_BITCODE_TEXT(x) #x
#define CNN_BITCODE_NAME(x) CNN_BITCODE_TEXT(x)

__asm__(".section .rodata\n"
        ".globl " CNN_BITCODE_NAME(CNN_BITCODE_SYMBOL) ", " CNN_BITCODE_NAME(
            CNN_BITCODE_SYMBOL) "_end\n"
                                ".balign 16\n" CNN_BITCODE_NAME(
                                    CNN_BITCODE_SYMBOL) ": .incbin \"" CNN_BITCODE
                                                        "\"\n" CNN_BITCODE_NAME(CNN_BITCODE_SYMBOL) "_end: .byte 0\n"
                                                                                                    ".previous\n");

typedef int cnn_not_empty;

#endif
