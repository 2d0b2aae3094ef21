# How everything is compiled and linked, whatever the build type and the compiler.
include(CheckCCompilerFlag)
include(CheckCSourceCompiles)

# Assertions stay on: a bug of ours is to end the process, not to grant a lock twice. Where NDEBUG comes
# in by another way, wslock/base/macros.h stops the compiler.
get_property(cache_variables DIRECTORY PROPERTY CACHE_VARIABLES)
list(FILTER cache_variables INCLUDE REGEX "^CMAKE_C_FLAGS_[A-Z0-9_]+$")
foreach(variable ${cache_variables})
  string(REGEX REPLACE "(^| )-D *NDEBUG(=[^ ]*)?" "" ${variable} "${${variable}}")
endforeach()

add_compile_options(-Wall -Wextra -Wconversion -Wshadow -Wvla -fno-omit-frame-pointer)
if(WSLOCK_WERROR)
  add_compile_options(-Werror)
endif()

# Not for what is loaded into another process: CMake makes that position independent by itself.
add_compile_options("$<$<NOT:$<STREQUAL:$<TARGET_PROPERTY:TYPE>,MODULE_LIBRARY>>:-fPIE>")
add_link_options("$<$<STREQUAL:$<TARGET_PROPERTY:TYPE>,EXECUTABLE>:-pie>" -Wl,-z,relro -Wl,-z,now)

set(hardening -fstack-protector-strong -fstack-clash-protection)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|amd64|AMD64|i[3-6]86)$")
  list(APPEND hardening -fcf-protection=full)
elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "^(aarch64|arm64)$")
  list(APPEND hardening -mbranch-protection=standard)
endif()
foreach(flag ${hardening})
  string(MAKE_C_IDENTIFIER "WSLOCK_HAS${flag}" has)
  check_c_compiler_flag(${flag} ${has})
  if(${has})
    add_compile_options(${flag})
  endif()
endforeach()

# The C library checks lengths only in what is optimized, and the sanitizers check more. Old ones know
# level 2 alone, and warn.
function(wslock_fortify)
  string(TOUPPER "${CMAKE_BUILD_TYPE}" type)
  foreach(level 3 2)
    set(CMAKE_REQUIRED_FLAGS
      "${CMAKE_C_FLAGS_${type}} -Werror -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=${level}")
    set(has "WSLOCK_HAS_FORTIFY_${level}_${type}")
    check_c_source_compiles("#include <stdio.h>\n#ifndef __OPTIMIZE__\n#error\n#endif\nint main(void) { return 0; }"
      ${has})
    if(${has})
      add_compile_options(-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=${level})
      return()
    endif()
  endforeach()
endfunction()

if(WSLOCK_SANITIZE)
  add_compile_options(-fsanitize=address,undefined -fno-sanitize-recover=undefined)
  add_link_options(-fsanitize=address,undefined)
  if(CMAKE_C_COMPILER_ID STREQUAL "Clang")
    add_compile_options(-fsanitize=fuzzer-no-link) # what tests/fuzz is led by
  endif()
else()
  wslock_fortify()
endif()
