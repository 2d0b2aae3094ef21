# The library of the Lua scripts, in the program byte for byte.
set(lua_folder ${CMAKE_CURRENT_SOURCE_DIR}/lock/lua)
file(GLOB lua_files CONFIGURE_DEPENDS ${lua_folder}/*.lua)
set(lua_embedded ${CMAKE_CURRENT_BINARY_DIR}/lock_scripts.c)
add_custom_command(
  OUTPUT ${lua_embedded}
  COMMAND ${CMAKE_COMMAND} -DFOLDER=${lua_folder} -DOUTPUT=${lua_embedded}
          -DLAYOUTS=${CMAKE_CURRENT_SOURCE_DIR}/lock/layouts.def
          -P ${CMAKE_CURRENT_SOURCE_DIR}/lock/embed.cmake
  DEPENDS ${lua_files} ${CMAKE_CURRENT_SOURCE_DIR}/lock/embed.cmake
          ${CMAKE_CURRENT_SOURCE_DIR}/lock/layouts.def
  COMMENT "Embedding the lock scripts"
  VERBATIM)
target_sources(wslock_lock PRIVATE ${lua_embedded})
