# The script tests: a real redis-server each, in Node's own runner.
find_program(NODE node REQUIRED)
foreach(what states pages recovery failover waiters transfers walk verify inspect rights)
  add_test(NAME lua_${what} COMMAND ${NODE} --test ${CMAKE_CURRENT_LIST_DIR}/${what}.test.mjs)
endforeach()
if(NOT WSLOCK_TEST_ALL)
  set(walk_steps "ENVIRONMENT;WALK_STEPS=60000")
endif()
set_tests_properties(lua_walk PROPERTIES TIMEOUT 300 ${walk_steps})
