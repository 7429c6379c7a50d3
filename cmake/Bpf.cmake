# SPDX-License-Identifier: GPL-2.0-or-later
# add_bpf_skeleton(NAME SOURCE): the target bpf::NAME with NAME.skel.h. Needs clang, llvm-strip, bpftool.
find_program(BPF_CLANG NAMES clang clang-14 REQUIRED)
find_program(BPF_STRIP NAMES llvm-strip llvm-strip-14 REQUIRED)
find_program(BPFTOOL NAMES bpftool HINTS /usr/sbin REQUIRED)
string(REGEX REPLACE "^(aarch64|arm64)$" "arm64" VS_BPF_ARCH "${CMAKE_SYSTEM_PROCESSOR}")
string(REGEX REPLACE "^(x86_64|amd64)$" "x86" VS_BPF_ARCH "${VS_BPF_ARCH}")

# All that sources include and no compiler is needed for: what a linter builds first.
add_custom_target(generated)

# A program has the byte order of its machine.
set(VS_BPF_TARGET bpfel)
if(CMAKE_CXX_BYTE_ORDER STREQUAL BIG_ENDIAN)
  set(VS_BPF_TARGET bpfeb)
endif()
# The C library's headers of the machine: of the cross compiler, or where Debian has its own.
set(VS_BPF_INCLUDE /usr/include/${CMAKE_LIBRARY_ARCHITECTURE})
if(CMAKE_CROSSCOMPILING)
  set(VS_BPF_INCLUDE /usr/${VS_CROSS_TRIPLET}/include -I${VS_CROSS_ROOT}/usr/include)
endif()

function(add_bpf_skeleton name source)
  set(object ${CMAKE_BINARY_DIR}/bpf/${name}.bpf.o)
  set(header ${CMAKE_BINARY_DIR}/bpf/${name}.skel.h)
  file(MAKE_DIRECTORY ${CMAKE_BINARY_DIR}/bpf)
  add_custom_command(OUTPUT ${object}
    COMMAND ${BPF_CLANG} -target ${VS_BPF_TARGET} -g -O2 -std=gnu11 -Wall -Wextra -Werror
            -D__TARGET_ARCH_${VS_BPF_ARCH} -I${VS_BPF_INCLUDE}
            -ffile-prefix-map=${CMAKE_SOURCE_DIR}=. -MD -MF ${object}.d
            -c ${source} -o ${object}
    COMMAND ${BPF_STRIP} -g ${object}
    DEPENDS ${source} DEPFILE ${object}.d COMMENT "BPF ${name}" VERBATIM)
  add_custom_command(OUTPUT ${header}
    COMMAND sh -c "{ echo '// NOLINTBEGIN: generated' && '${BPFTOOL}' gen skeleton '${object}' name '${name}' && echo '// NOLINTEND'; } >'${header}.tmp' && mv '${header}.tmp' '${header}'"
    DEPENDS ${object} COMMENT "BPF skeleton ${name}" VERBATIM)
  add_custom_target(bpf_${name} DEPENDS ${header})
  add_dependencies(generated bpf_${name})
  add_library(bpf_${name}_skeleton INTERFACE)
  add_dependencies(bpf_${name}_skeleton bpf_${name})
  target_include_directories(bpf_${name}_skeleton SYSTEM INTERFACE ${CMAKE_BINARY_DIR}/bpf)
  add_library(bpf::${name} ALIAS bpf_${name}_skeleton)
endfunction()
