# Writes the units into OUT. Run at install time, since the paths follow CMAKE_INSTALL_PREFIX, which
# `cmake --install --prefix` and cpack set. The caller sets SBINDIR, OUT and SYSTEMD_VERSION.

# Since version 253 systemd sends SIGHUP itself, and `systemctl reload` waits for the end of the reload.
if(SYSTEMD_VERSION VERSION_GREATER_EQUAL 253)
  set(WSLOCK_TYPE "Type=notify-reload")
else()
  set(WSLOCK_TYPE "Type=notify\nExecReload=/bin/kill -HUP $MAINPID")
endif()

get_filename_component(WSLOCK_SBINDIR "${SBINDIR}" ABSOLUTE BASE_DIR "${CMAKE_INSTALL_PREFIX}")
set(folder ${CMAKE_CURRENT_LIST_DIR})
configure_file(${folder}/service.in ${OUT}/wslockd.service @ONLY)
configure_file(${folder}/socket.in ${OUT}/wslockd.socket @ONLY)

# One process for each core: each instance has its own socket on the same port.
set(WSLOCK_TITLE ", instance %i")
set(WSLOCK_INSTANCE "Environment=WSLOCKD_INSTANCE=%i\n")
set(WSLOCK_REUSE "ReusePort=yes\n")
configure_file(${folder}/service.in ${OUT}/wslockd@.service @ONLY)
configure_file(${folder}/socket.in ${OUT}/wslockd@.socket @ONLY)
