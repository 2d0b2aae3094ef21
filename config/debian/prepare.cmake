# cpack runs this before it makes the package: adds the files that Debian requires in each package.
set(root ${CPACK_TEMPORARY_INSTALL_DIRECTORY})
set(doc ${root}/usr/share/doc/wslockd)
set(source ${CPACK_WSLOCK_SOURCE})

function(compress)
  execute_process(COMMAND gzip -9nf ${ARGN} COMMAND_ERROR_IS_FATAL ANY)
endfunction()

# The licence as a field of the machine-readable format: indented, and a dot for an empty line.
file(READ ${source}/LICENSE licence)
string(REGEX MATCH "Copyright [^\n]*" holder "${licence}")
string(REGEX REPLACE "^Copyright (\\(c\\) )?" "" holder "${holder}")
string(REGEX REPLACE "^.*\n(Permission is)" "\\1" licence "${licence}")
string(REGEX REPLACE "\n\n" "\n.\n" licence "${licence}")
string(REGEX REPLACE "\n(.)" "\n \\1" licence "${licence}")
file(WRITE ${doc}/copyright "\
Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: wslockd

Files: *
Copyright: ${holder}
License: Expat
 ${licence}")

string(TIMESTAMP date "%a, %d %b %Y %H:%M:%S +0000" UTC)
configure_file(${source}/config/debian/changelog.in ${doc}/changelog.Debian @ONLY)
file(COPY_FILE ${source}/docs/CHANGELOG.md ${doc}/changelog)
compress(${doc}/changelog ${doc}/changelog.Debian)

# The modes must not depend on the umask and on the modes of the sources.
file(GLOB made ${doc}/copyright ${doc}/changelog*)
file(CHMOD ${made} PERMISSIONS OWNER_READ OWNER_WRITE GROUP_READ WORLD_READ)
execute_process(COMMAND find ${root} -mindepth 1 -type d -exec chmod 755 {} + COMMAND_ERROR_IS_FATAL ANY)

file(GLOB pages ${root}/usr/share/man/man*/*)
if(pages)
  compress(${pages})
endif()
