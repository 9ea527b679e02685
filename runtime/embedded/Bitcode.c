/* The runtime's bitcode as data of the compiler: the bytes from cnn_runtime_bitcode to cnn_runtime_bitcode_end. */
__asm__(".section .rodata\n"
        ".globl cnn_runtime_bitcode, cnn_runtime_bitcode_end\n"
        ".balign 16\n"
        "cnn_runtime_bitcode: .incbin \"" CNN_RUNTIME_BITCODE "\"\n"
        "cnn_runtime_bitcode_end: .byte 0\n"
        ".previous\n");

typedef int cnn_not_empty;
