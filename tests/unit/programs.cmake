# Programs that tests run, and that stand beside them.
add_executable(jws-check ${CMAKE_CURRENT_SOURCE_DIR}/tools/jws_check.c)
target_link_libraries(jws-check PRIVATE wslock_auth)

# The daemon's network side with sessions that echo, for the public suites of Socket.IO and Engine.IO.
add_executable(socketio-suite-server ${CMAKE_CURRENT_SOURCE_DIR}/tools/socketio_suite_server.c
  ${CMAKE_CURRENT_SOURCE_DIR}/tools/socketio_suite_session.c ${CMAKE_CURRENT_SOURCE_DIR}/tools/socketio_suite_unused.c)
target_link_libraries(socketio-suite-server PRIVATE wslock_net)

# A second implementation to compare with.
foreach(name test_auth_libjwt test_auth_ticket)
  target_link_libraries(${name} PRIVATE PkgConfig::LIBJWT)
endforeach()

# Writes the reference parts of docs/configuration.md and docs/man/wslockd.yaml.5 anew from the table
# of keys.
add_custom_target(config-reference COMMAND test_config_reference --write)

# Writes the reference part of docs/metrics.md anew from the table of metrics.
add_custom_target(metrics-reference COMMAND test_metrics_reference --write)

# Preloaded by end-to-end tests.
add_library(slow-disk MODULE ${CMAKE_CURRENT_SOURCE_DIR}/tools/slow_disk.c)
add_library(step-clock MODULE ${CMAKE_CURRENT_SOURCE_DIR}/tools/step_clock.c)
foreach(library slow-disk step-clock)
  set_target_properties(${library} PROPERTIES PREFIX "" LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  target_link_libraries(${library} PRIVATE ${CMAKE_DL_LIBS})
  # Redis is not compiled with them.
  target_compile_options(${library} PRIVATE -fno-sanitize=all)
  target_link_options(${library} PRIVATE -fno-sanitize=all)
endforeach()
