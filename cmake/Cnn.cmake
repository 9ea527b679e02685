# How every target of the project is compiled: the standard, the warnings, the sanitizers, and one precompiled header for the
# sources that use MLIR.

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_C_STANDARD 11)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)

option(CNN_WERROR "Treat warnings as errors" ON)
set(CNN_SANITIZE "" CACHE STRING "Sanitizers to build with, as for -fsanitize= (address, undefined, thread)")

option(CNN_STATIC_LLVM "Link LLVM and MLIR into the programs, which then need nothing that a clean Debian lacks" OFF)

find_program(CNN_CCACHE ccache)

separate_arguments(CNN_LLVM_DEFINITIONS NATIVE_COMMAND "${LLVM_DEFINITIONS}")

add_library(cnn_options INTERFACE)
target_include_directories(cnn_options INTERFACE ${PROJECT_SOURCE_DIR} ${PROJECT_BINARY_DIR})
target_compile_options(cnn_options INTERFACE -Wall -Wextra -Wno-unused-parameter $<$<BOOL:${CNN_WERROR}>:-Werror>
  $<$<COMPILE_LANGUAGE:CXX>:-fno-exceptions>)
if(CMAKE_CXX_COMPILER_ID MATCHES Clang)
  # What is compiled for ccache must not depend on the time the precompiled header was written.
  target_compile_options(cnn_options INTERFACE "SHELL:$<$<COMPILE_LANGUAGE:CXX>:-Xclang -fno-pch-timestamp>")
  target_link_options(cnn_options INTERFACE -fuse-ld=lld -B${CNN_LLVM_ROOT}/bin)
endif()
if(CNN_SANITIZE)
  target_compile_options(cnn_options INTERFACE -fsanitize=${CNN_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(cnn_options INTERFACE -fsanitize=${CNN_SANITIZE})
endif()

add_library(cnn_mlir_options INTERFACE)
target_link_libraries(cnn_mlir_options INTERFACE cnn_options)
target_include_directories(cnn_mlir_options SYSTEM INTERFACE ${MLIR_INCLUDE_DIRS} ${LLVM_INCLUDE_DIRS})
target_compile_definitions(cnn_mlir_options INTERFACE ${CNN_LLVM_DEFINITIONS})

# LLVM and MLIR: shared libraries to work with, or what is needed of the archives.
add_library(cnn_llvm INTERFACE)
if(CNN_STATIC_LLVM)
  file(GLOB archives ${CNN_LLVM_ROOT}/lib/libMLIR*.a ${CNN_LLVM_ROOT}/lib/libLLVM*.a)
  add_library(cnn_no_polly STATIC ${PROJECT_SOURCE_DIR}/cmake/NoPolly.cpp)
  target_link_libraries(cnn_no_polly PRIVATE cnn_mlir_options)
  target_link_libraries(cnn_llvm INTERFACE ${archives} cnn_no_polly ZLIB::ZLIB zstd::libzstd_shared ${CMAKE_DL_LIBS}
    Threads::Threads)
  target_link_options(cnn_llvm INTERFACE -Wl,--gc-sections -Wl,--as-needed)
  # As Debian has them they ask for the shared library.
  set_target_properties(lldCommon PROPERTIES INTERFACE_LINK_LIBRARIES cnn_llvm)
  set_target_properties(lldELF PROPERTIES INTERFACE_LINK_LIBRARIES "lldCommon;cnn_llvm")
else()
  target_link_libraries(cnn_llvm INTERFACE MLIR LLVM)
endif()

# The owner of the precompiled header is compiled without ccache, which may serve a stale one.
add_library(cnn_pch OBJECT ${PROJECT_SOURCE_DIR}/cmake/pch.cpp)
target_link_libraries(cnn_pch PRIVATE cnn_mlir_options)
target_precompile_headers(cnn_pch PRIVATE ${PROJECT_SOURCE_DIR}/cmake/pch.h)

function(cnn_use_ccache target)
  if(CNN_CCACHE)
    set(launcher ${CMAKE_COMMAND} -E env
      CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime ${CNN_CCACHE})
    set_target_properties(${target} PROPERTIES CXX_COMPILER_LAUNCHER "${launcher}" C_COMPILER_LAUNCHER "${launcher}")
  endif()
endfunction()

# cnn_add_library(NAME [PLAIN] SOURCES... [LINK libs...] [DEPENDS targets...])
# A static library. PLAIN: it uses neither LLVM nor MLIR (no precompiled header, no LLVM include paths).
function(cnn_add_library name)
  cmake_parse_arguments(ARG "PLAIN" "" "SOURCES;LINK;DEPENDS" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  cnn_use_ccache(${name})
  if(ARG_PLAIN)
    target_link_libraries(${name} PUBLIC cnn_options ${ARG_LINK})
  else()
    target_link_libraries(${name} PUBLIC cnn_mlir_options ${ARG_LINK} cnn_llvm)
    target_precompile_headers(${name} REUSE_FROM cnn_pch)
  endif()
  if(ARG_DEPENDS)
    add_dependencies(${name} ${ARG_DEPENDS})
  endif()
endfunction()

# cnn_add_tool(NAME SOURCES... LINK libs...): an executable in bin/ that may use MLIR.
function(cnn_add_tool name)
  cmake_parse_arguments(ARG "PLAIN" "" "SOURCES;LINK" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  cnn_use_ccache(${name})
  if(ARG_PLAIN)
    target_link_libraries(${name} PRIVATE cnn_options ${ARG_LINK})
  else()
    target_link_libraries(${name} PRIVATE cnn_mlir_options ${ARG_LINK} cnn_llvm)
    # The precompiled header is -fPIC; CMake would compile an executable with -fPIE, and the two don't mix.
    set_target_properties(${name} PROPERTIES POSITION_INDEPENDENT_CODE OFF)
    target_compile_options(${name} PRIVATE -fPIC)
    target_precompile_headers(${name} REUSE_FROM cnn_pch)
    if(NOT CNN_STATIC_LLVM)
      set_target_properties(${name} PROPERTIES BUILD_RPATH ${CNN_LLVM_ROOT}/lib INSTALL_RPATH ${CNN_LLVM_ROOT}/lib)
    endif()
  endif()
endfunction()

# cnn_add_unit_test(NAME [PLAIN] SOURCES... LINK libs... [LABELS labels...]): a GoogleTest executable, one CTest test a binary.
function(cnn_add_unit_test name)
  cmake_parse_arguments(ARG "PLAIN" "" "SOURCES;LINK;LABELS" ${ARGN})
  if(ARG_PLAIN)
    cnn_add_tool(${name} PLAIN SOURCES ${ARG_SOURCES} LINK ${ARG_LINK} GTest::gtest GTest::gtest_main Threads::Threads)
  else()
    cnn_add_tool(${name} SOURCES ${ARG_SOURCES} LINK ${ARG_LINK} GTest::gtest GTest::gtest_main Threads::Threads)
  endif()
  add_test(NAME ${name} COMMAND ${name})
  set_tests_properties(${name} PROPERTIES LABELS "unit;${ARG_LABELS}")
endfunction()
