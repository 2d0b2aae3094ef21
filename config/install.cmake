# What `cmake --install` installs. The prefix decides where programs, units and pages go. The configuration
# always goes to /etc/wslockd, where the daemon looks for it.
include(GNUInstallDirs)

install(TARGETS wslockd RUNTIME DESTINATION ${CMAKE_INSTALL_SBINDIR})
install(TARGETS wslockctl RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})

set(units ${CMAKE_BINARY_DIR}/units)
install(CODE "set(SBINDIR \"${CMAKE_INSTALL_SBINDIR}\")
  set(SYSTEMD_VERSION \"${SYSTEMD_VERSION}\")
  set(OUT \"${units}\")
  include(\"${CMAKE_CURRENT_LIST_DIR}/systemd/units.cmake\")")
install(FILES ${units}/wslockd.service ${units}/wslockd@.service ${units}/wslockd.socket
  ${units}/wslockd@.socket DESTINATION lib/systemd/system)
install(FILES config/systemd/sysusers.conf DESTINATION lib/sysusers.d RENAME wslockd.conf)
install(FILES config/systemd/tmpfiles.conf DESTINATION lib/tmpfiles.d RENAME wslockd.conf)

install(FILES docs/man/wslockd.8 DESTINATION ${CMAKE_INSTALL_MANDIR}/man8)
install(FILES docs/man/wslockd.yaml.5 DESTINATION ${CMAKE_INSTALL_MANDIR}/man5)
install(FILES docs/man/wslockctl.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
# bash-completion finds the file by the name of the program.
foreach(program wslockctl wslockd)
  install(FILES config/completion/wslockctl DESTINATION share/bash-completion/completions
    RENAME ${program})
endforeach()

install(FILES config/wslockd.yaml config/audit/ecs.jq config/audit/fhir.jq DESTINATION ${CMAKE_INSTALL_DOCDIR}/examples)
# What operators read; the runbooks of the alerts are in metrics.md.
foreach(page audit configuration metrics operations operations-reference security)
  install(FILES docs/${page}.md DESTINATION ${CMAKE_INSTALL_DOCDIR})
endforeach()
install(FILES docs/dashboard.png docs/dashboard-lock.png DESTINATION ${CMAKE_INSTALL_DOCDIR})
# For Prometheus and Grafana.
install(FILES config/alerts.yaml config/grafana-dashboard.json
  DESTINATION ${CMAKE_INSTALL_DATADIR}/wslockd)
# The JavaScript client, as an npm package.
install(DIRECTORY src/web/client/ DESTINATION ${CMAKE_INSTALL_DATADIR}/wslockd/client)
# An existing configuration is not replaced.
install(CODE "if(NOT EXISTS \"\$ENV{DESTDIR}/etc/wslockd/wslockd.yaml\")
  file(INSTALL DESTINATION /etc/wslockd TYPE FILE FILES \"${PROJECT_SOURCE_DIR}/config/systemd/wslockd.yaml\")
endif()")
install(FILES config/debian/logrotate DESTINATION /etc/logrotate.d RENAME wslockd)
