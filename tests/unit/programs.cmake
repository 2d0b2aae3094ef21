# Programs that tests run, and that stand beside them.
add_executable(jws-check ${CMAKE_CURRENT_SOURCE_DIR}/tools/jws_check.c)
target_link_libraries(jws-check PRIVATE wslock_auth)

# Writes the reference part of docs/configuration.md anew from the table of keys.
add_custom_target(config-reference COMMAND test_config_reference --write)

# Preloaded by end-to-end tests.
add_library(slow-disk MODULE ${CMAKE_CURRENT_SOURCE_DIR}/tools/slow_disk.c)
set_target_properties(slow-disk PROPERTIES PREFIX "" LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
target_link_libraries(slow-disk PRIVATE ${CMAKE_DL_LIBS})
