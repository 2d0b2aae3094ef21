# Embeds the files of a folder byte for byte: included by src/CMakeLists.txt, and run as a script by the
# rules that it makes there. index.html is served at "/", others below PREFIX.
#   cmake -DOUTPUT=web_files.c -DTABLE=WEB_FILES -DPREFIX=/ "-DFILES=a.html;b.js" -P web.cmake
if(CMAKE_SCRIPT_MODE_FILE)
  set(type_html "text/html; charset=utf-8")
  set(type_js "text/javascript; charset=utf-8")
  set(type_css "text/css; charset=utf-8")
  set(type_svg "image/svg+xml")
  set(bodies "")
  set(rows "")
  set(index 0)
  foreach(file ${FILES})
    get_filename_component(name ${file} NAME)
    get_filename_component(extension ${file} LAST_EXT)
    string(SUBSTRING ${extension} 1 -1 extension)
    file(READ ${file} hex HEX)
    file(SHA256 ${file} hash)
    string(SUBSTRING ${hash} 0 32 etag)
    string(REGEX REPLACE "(................................)" "\\1\n" hex "${hex}")
    string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," hex "${hex}")
    string(APPEND bodies "static const unsigned char FILE_${index}[] = {\n${hex}0};\n")
    set(path "${PREFIX}${name}")
    if(name STREQUAL "index.html")
      set(path "/")
    endif()
    string(APPEND rows "    {\"${path}\", \"${type_${extension}}\", \"\\\"${etag}\\\"\", FILE_${index}, sizeof FILE_${index} - 1},\n")
    math(EXPR index "${index} + 1")
  endforeach()
  file(WRITE ${OUTPUT}.new "#include \"web_files.h\"\n\n${bodies}\nconst struct web_file ${TABLE}[] = {\n${rows}    {NULL, NULL, NULL, NULL, 0},\n};\n")
  file(RENAME ${OUTPUT}.new ${OUTPUT})
  return()
endif()

function(embed_web folder table prefix)
  file(GLOB files CONFIGURE_DEPENDS ${folder}/*.html ${folder}/*.js ${folder}/*.css ${folder}/*.svg)
  string(TOLOWER ${table} output)
  set(output ${CMAKE_CURRENT_BINARY_DIR}/${output}.c)
  add_custom_command(
    OUTPUT ${output}
    COMMAND ${CMAKE_COMMAND} -DOUTPUT=${output} -DTABLE=${table} -DPREFIX=${prefix} "-DFILES=${files}"
            -P ${CMAKE_CURRENT_FUNCTION_LIST_FILE}
    DEPENDS ${files} ${CMAKE_CURRENT_FUNCTION_LIST_FILE}
    VERBATIM)
  target_sources(wslock_net PRIVATE ${output})
endfunction()

embed_web(web WEB_FILES /)
embed_web(web/dashboard DASHBOARD_FILES /dashboard/)
