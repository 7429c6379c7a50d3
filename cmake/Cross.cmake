# SPDX-License-Identifier: GPL-2.0-or-later
# Toolchain file of tools/matrix: Debian's cross compiler VS_CROSS_TRIPLET, with the libraries of that
# architecture unpacked in VS_CROSS_ROOT. Programs that the build runs, and tests, run under qemu-user.
set(CMAKE_SYSTEM_NAME Linux)
list(APPEND CMAKE_TRY_COMPILE_PLATFORM_VARIABLES VS_CROSS_TRIPLET VS_CROSS_ROOT VS_CROSS_QEMU)
set(CMAKE_SYSTEM_PROCESSOR ${VS_CROSS_QEMU})
set(CMAKE_C_COMPILER ${VS_CROSS_TRIPLET}-gcc)
set(CMAKE_CXX_COMPILER ${VS_CROSS_TRIPLET}-g++)
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-${VS_CROSS_QEMU}-static -L /usr/${VS_CROSS_TRIPLET})
# Debian's name of the directory differs from the compiler's on i386 only.
string(REPLACE "i686" "i386" CMAKE_LIBRARY_ARCHITECTURE ${VS_CROSS_TRIPLET})
set(CMAKE_FIND_ROOT_PATH ${VS_CROSS_ROOT})
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
foreach(language C CXX)
  set(CMAKE_${language}_FLAGS_INIT
    "-isystem ${VS_CROSS_ROOT}/usr/include/${CMAKE_LIBRARY_ARCHITECTURE} -isystem ${VS_CROSS_ROOT}/usr/include")
endforeach()
set(CMAKE_EXE_LINKER_FLAGS_INIT "-L${VS_CROSS_ROOT}/usr/lib/${CMAKE_LIBRARY_ARCHITECTURE}")
