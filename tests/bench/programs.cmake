# The load generator, see docs/performance.md. The suite only tries that it works, not how fast.
file(GLOB bench_sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/*.c)
add_executable(wslock-bench ${bench_sources})
# `direct` calls the same scripts with the same arguments as the daemon.
target_include_directories(wslock-bench PRIVATE ${PROJECT_SOURCE_DIR}/src/lock)
target_compile_definitions(wslock-bench PRIVATE
  WSLOCK_BENCH_PEERS="${CMAKE_CURRENT_LIST_DIR}/peers")
target_link_libraries(wslock-bench PRIVATE wslock_lock PkgConfig::LIBJWT PkgConfig::OPENSSL
  PkgConfig::HIREDIS)

# Each scenario waits for the recovery window of a new store: 3 s. `idle` is `idle-tls` without TLS.
if(TARGET wslockd AND (WSLOCK_TEST_ALL OR NOT WSLOCK_SANITIZE))
  add_test(NAME bench_smoke COMMAND wslock-bench --smoke --wslockd $<TARGET_FILE:wslockd>
    cycle fanout peers peers-fanout rate join instances storm idle-tls)
  set_tests_properties(bench_smoke PROPERTIES TIMEOUT 180)
endif()

add_executable(test_bench_socketio ${CMAKE_CURRENT_LIST_DIR}/../unit/bench_socketio.c ${CMAKE_CURRENT_LIST_DIR}/socketio.c)
target_link_libraries(test_bench_socketio PRIVATE wslock_base PkgConfig::CMOCKA)
add_test(NAME test_bench_socketio COMMAND test_bench_socketio)
