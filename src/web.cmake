# Embeds files of src/web byte for byte: included by src/CMakeLists.txt, and run as a script by the rules that
# it makes there. A file is served at its path below src/web, the client without its folder, a page's index.html
# at "/".
#   cmake -DOUTPUT=web_files.c -DTABLE=WEB_FILES -DROOT=web "-DFILES=web/a.html;web/b.js" -P web.cmake
if(CMAKE_SCRIPT_MODE_FILE)
  set(type_html "text/html; charset=utf-8")
  set(type_js "text/javascript; charset=utf-8")
  set(type_css "text/css; charset=utf-8")
  set(type_svg "image/svg+xml")
  set(bodies "")
  set(rows "")
  set(index 0)
  foreach(file ${FILES})
    get_filename_component(extension ${file} LAST_EXT)
    string(SUBSTRING ${extension} 1 -1 extension)
    file(READ ${file} hex HEX)
    file(SHA256 ${file} hash)
    string(SUBSTRING ${hash} 0 32 etag)
    string(REGEX REPLACE "(................................)" "\\1\n" hex "${hex}")
    string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," hex "${hex}")
    string(APPEND bodies "static const unsigned char FILE_${index}[] = {\n${hex}0};\n")
    file(RELATIVE_PATH path ${ROOT} ${file})
    string(REGEX REPLACE "^client/|^(dashboard/)?index.html$" "" path ${path})
    string(APPEND rows "    {\"/${path}\", \"${type_${extension}}\", \"\\\"${etag}\\\"\", FILE_${index}, sizeof FILE_${index} - 1},\n")
    math(EXPR index "${index} + 1")
  endforeach()
  file(WRITE ${OUTPUT}.new "#include \"web_files.h\"\n\n${bodies}\nconst struct web_file ${TABLE}[] = {\n${rows}    {NULL, NULL, NULL, NULL, 0},\n};\n")
  file(RENAME ${OUTPUT}.new ${OUTPUT})
  return()
endif()

function(embed_web table)
  file(GLOB files CONFIGURE_DEPENDS ${ARGN})
  string(TOLOWER ${table} name)
  set(output ${CMAKE_CURRENT_BINARY_DIR}/${name}.c)
  add_custom_command(
    OUTPUT ${output}
    COMMAND ${CMAKE_COMMAND} -DOUTPUT=${output} -DTABLE=${table} -DROOT=${CMAKE_CURRENT_SOURCE_DIR}/web
            "-DFILES=${files}" -P ${CMAKE_CURRENT_FUNCTION_LIST_FILE}
    DEPENDS ${files} ${CMAKE_CURRENT_FUNCTION_LIST_FILE}
    VERBATIM)
  target_sources(wslock_net PRIVATE ${output})
endfunction()

embed_web(WEB_FILES web/*.html web/*.svg web/demo/* web/client/wslock.js web/client/wslock/*.js)
embed_web(DASHBOARD_FILES web/dashboard/*)
