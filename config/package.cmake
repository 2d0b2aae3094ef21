# `cpack -G DEB` in the build folder makes the Debian package (docs/operations.md).
set(WSLOCK_MAINTAINER "wslockd authors <wslockd@lists.invalid>" CACHE STRING "Maintainer of the package")

# The dependencies differ between releases of Debian, so the version names the release.
set(release)
if(EXISTS /etc/os-release)
  file(STRINGS /etc/os-release release REGEX "^VERSION_ID=")
  string(REGEX REPLACE "[^0-9.]" "" release "${release}")
endif()

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME wslockd)
set(CPACK_PACKAGE_CONTACT "${WSLOCK_MAINTAINER}")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "edit locks over WebSocket for browser-based editors")
set(CPACK_DEBIAN_PACKAGE_DESCRIPTION
  "At most one tab of all users has the lock of a document and may edit it;\n\
all others see who has it. Locks have fencing tokens, survive short\n\
disconnections, pass on in several ways, and each change is audited.\n\
.\n\
The daemon keeps its locks in Redis or Valkey. wslockctl is for operators.")
set(CPACK_INSTALL_PREFIX /usr)
set(CPACK_SET_DESTDIR ON) # /etc is outside of the prefix
set(CPACK_STRIP_FILES ON)

set(debian ${PROJECT_SOURCE_DIR}/config/debian)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_RELEASE "1~deb${release}")
set(CPACK_DEBIAN_PACKAGE_SECTION net)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
# The event loop of libwebsockets is a plugin, which dpkg-shlibdeps does not see.
string(CONCAT CPACK_DEBIAN_PACKAGE_DEPENDS "libwebsockets-evlib-uv, "
  "systemd | systemd-standalone-sysusers, systemd | systemd-standalone-tmpfiles")
if(SYSTEMD_VERSION VERSION_LESS 253) # the unit reloads by kill
  string(APPEND CPACK_DEBIAN_PACKAGE_DEPENDS ", procps")
endif()
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS "ca-certificates, redis-server (>= 5:7.0) | valkey-server")
set(CPACK_DEBIAN_PACKAGE_SUGGESTS "logrotate")
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA
  ${debian}/postinst ${debian}/prerm ${debian}/postrm ${debian}/conffiles)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_PRE_BUILD_SCRIPTS ${debian}/prepare.cmake)
set(CPACK_WSLOCK_SOURCE ${PROJECT_SOURCE_DIR})
include(CPack)
