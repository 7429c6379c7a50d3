# SPDX-License-Identifier: GPL-2.0-or-later
# vs_warnings: what every target of ours is compiled with. vs_product: what we ship.
add_library(vs_warnings INTERFACE)
target_compile_options(vs_warnings INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wold-style-cast -Wnon-virtual-dtor
  -Woverloaded-virtual -Wformat=2 -Wimplicit-fallthrough -Wswitch-enum -Wundef
  $<$<BOOL:${VS_WERROR}>:-Werror>
  $<$<CXX_COMPILER_ID:GNU>:-Wduplicated-cond -Wlogical-op>)

add_library(vs_product INTERFACE)
target_link_libraries(vs_product INTERFACE vs_warnings)
target_include_directories(vs_product INTERFACE ${CMAKE_SOURCE_DIR}/src ${CMAKE_SOURCE_DIR})
target_compile_definitions(vs_product INTERFACE
  _GNU_SOURCE VS_VERSION="${PROJECT_VERSION}" $<$<BOOL:${VS_TEST_SEAM}>:VS_TEST_SEAM>
  $<$<NOT:$<CONFIG:Debug>>:_FORTIFY_SOURCE=2> _GLIBCXX_ASSERTIONS)
target_compile_options(vs_product INTERFACE
  $<$<COMPILE_LANGUAGE:CXX>:-fno-exceptions -fno-rtti> -fstack-protector-strong
  -fvisibility=hidden -ffunction-sections -fdata-sections
  -ffile-prefix-map=${CMAKE_SOURCE_DIR}/=)
