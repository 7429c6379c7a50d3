# SPDX-License-Identifier: GPL-2.0-or-later
# add_static_helper(NAME SOURCE...): a tiny static program. With musl where Debian has it for this
# architecture (24 KiB resident), else with glibc (some 690 KiB resident).
set(VS_HELPER_CXX g++)
if(CMAKE_CROSSCOMPILING)
  set(VS_HELPER_CXX ${CMAKE_CXX_COMPILER})
else()
  find_program(VS_MUSL_GCC musl-gcc)
endif()
set(VS_MUSL_INCLUDE /usr/include/${CMAKE_LIBRARY_ARCHITECTURE})
string(REPLACE "-gnu" "-musl" VS_MUSL_TRIPLE "${CMAKE_LIBRARY_ARCHITECTURE}")

function(add_static_helper name)
  set(flags -std=gnu++20 -Os -g -fno-exceptions -fno-rtti -fno-asynchronous-unwind-tables
      -fno-threadsafe-statics -ffunction-sections -fdata-sections -Wall -Wextra -Wshadow
      -Wconversion -Wold-style-cast -Wimplicit-fallthrough
      -ffile-prefix-map=${CMAKE_SOURCE_DIR}/= -I${CMAKE_SOURCE_DIR}/src)
  if(VS_WERROR)
    list(APPEND flags -Werror)
  endif()
  if(VS_MUSL_GCC)
    # C++ headers of the compiler, C headers of musl, the kernel's own headers last.
    execute_process(COMMAND g++ -dumpversion OUTPUT_VARIABLE gcc OUTPUT_STRIP_TRAILING_WHITESPACE)
    execute_process(COMMAND g++ -print-file-name=include OUTPUT_VARIABLE gccinc OUTPUT_STRIP_TRAILING_WHITESPACE)
    list(APPEND flags -fno-stack-protector -nostdinc -nostdinc++ -D__GLIBC_PREREQ\(a,b\)=0
         -isystem /usr/include/c++/${gcc}
         -isystem /usr/include/${CMAKE_LIBRARY_ARCHITECTURE}/c++/${gcc}
         -isystem /usr/include/${VS_MUSL_TRIPLE} -isystem ${gccinc}
         -idirafter /usr/include -idirafter /usr/include/${CMAKE_LIBRARY_ARCHITECTURE})
    set(lib /usr/lib/${VS_MUSL_TRIPLE})
    set(link -nostdlib -static -Wl,--gc-sections ${lib}/crt1.o ${lib}/crti.o)
    set(tail -L${lib} -lc -lgcc ${lib}/crtn.o)
  else()
    set(link -static -Wl,--gc-sections)
    set(tail)
  endif()
  set(output ${CMAKE_BINARY_DIR}/bin/${name})
  set(objects)
  foreach(source ${ARGN})
    set(object ${CMAKE_CURRENT_BINARY_DIR}/${name}_${source}.o)
    add_custom_command(OUTPUT ${object}
      COMMAND ${VS_HELPER_CXX} ${flags} -MD -MF ${object}.d -c ${CMAKE_CURRENT_SOURCE_DIR}/${source} -o ${object}
      DEPENDS ${source} DEPFILE ${object}.d COMMENT "static ${source}" VERBATIM)
    list(APPEND objects ${object})
  endforeach()
  add_custom_command(OUTPUT ${output}
    COMMAND ${CMAKE_COMMAND} -E make_directory ${CMAKE_BINARY_DIR}/bin
    COMMAND ${VS_HELPER_CXX} ${link} ${objects} ${tail} -o ${output}.debug
    COMMAND ${CMAKE_STRIP} -o ${output} ${output}.debug
    DEPENDS ${objects} COMMENT "static ${name}" VERBATIM)
  add_custom_target(${name} ALL DEPENDS ${output})
  install(PROGRAMS ${output} DESTINATION ${CMAKE_INSTALL_LIBEXECDIR}/vserver)
endfunction()
