# The model of the lock, see docs/model.md: Spin searches it in full, and must find rules broken on purpose.
find_program(SPIN spin REQUIRED)
add_test(NAME model COMMAND ${CMAKE_CURRENT_LIST_DIR}/check.sh)
set_tests_properties(model PROPERTIES TIMEOUT 300 ENVIRONMENT "CC=${CMAKE_C_COMPILER}")
