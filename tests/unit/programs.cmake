# Programs that tests run, and that stand beside them.
add_executable(jws-check ${CMAKE_CURRENT_SOURCE_DIR}/tools/jws_check.c)
target_link_libraries(jws-check PRIVATE wslock_auth)

# Writes the reference part of docs/configuration.md anew from the table of keys.
add_custom_target(config-reference COMMAND test_config_reference --write)
