# tests/fuzz/fuzz_<what>.c is one libFuzzer target (LLVMFuzzerTestOneInput), built in the sanitizers'
# build and run there for a fixed number of inputs, starting from tests/fuzz/corpus/<what>/ and the
# words in tests/fuzz/<what>.dict, if they are there. gcc has no libFuzzer: driver.c takes its place and
# its arguments. For longer, with clang:
#   build-asan/tests/fuzz_<what> -max_total_time=600 <a folder of your own> tests/fuzz/corpus/<what>
if(NOT WSLOCK_SANITIZE)
  return()
endif()

file(GLOB fuzz_sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/fuzz_*.c)
foreach(source ${fuzz_sources})
  get_filename_component(name ${source} NAME_WE)
  string(REGEX REPLACE "^fuzz_" "" what ${name})
  add_executable(${name} ${source})
  if(CMAKE_C_COMPILER_ID STREQUAL "Clang")
    target_compile_options(${name} PRIVATE -fsanitize=fuzzer)
    target_link_options(${name} PRIVATE -fsanitize=fuzzer)
  else()
    target_sources(${name} PRIVATE ${CMAKE_CURRENT_LIST_DIR}/driver.c)
  endif()
  target_link_libraries(${name} PRIVATE wslock_net wslock_lock wslock_wire wslock_auth wslock_config PkgConfig::JANSSON)

  set(found ${CMAKE_CURRENT_BINARY_DIR}/corpus/${what})
  file(MAKE_DIRECTORY ${found})
  set(runs 100000)
  if(what STREQUAL "config") # its inputs are long, and each is loaded up to twice
    set(runs 20000)
  endif()
  set(arguments -runs=${runs} -max_len=8192 -timeout=20 -artifact_prefix=${found}- ${found})
  if(EXISTS ${CMAKE_CURRENT_LIST_DIR}/corpus/${what})
    list(APPEND arguments ${CMAKE_CURRENT_LIST_DIR}/corpus/${what})
  endif()
  if(EXISTS ${CMAKE_CURRENT_LIST_DIR}/${what}.dict)
    list(PREPEND arguments -dict=${CMAKE_CURRENT_LIST_DIR}/${what}.dict)
  endif()
  add_test(NAME ${name} COMMAND ${name} ${arguments})
endforeach()
