# Embeds the files of src/web byte for byte: included by src/CMakeLists.txt, and run as a script by the
# rule that it makes there.
#   cmake -DOUTPUT=web_files.c "-DFILES=a.html;b.js" -P web.cmake
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
    set(path "/${name}")
    if(name STREQUAL "index.html")
      set(path "/")
    endif()
    string(APPEND rows "    {\"${path}\", \"${type_${extension}}\", \"\\\"${etag}\\\"\", FILE_${index}, sizeof FILE_${index} - 1},\n")
    math(EXPR index "${index} + 1")
  endforeach()
  file(WRITE ${OUTPUT}.new "#include \"web_files.h\"\n\n${bodies}\nconst struct web_file WEB_FILES[] = {\n${rows}    {NULL, NULL, NULL, NULL, 0},\n};\n")
  file(RENAME ${OUTPUT}.new ${OUTPUT})
  return()
endif()

file(GLOB web_files CONFIGURE_DEPENDS web/*.html web/*.js web/*.css web/*.svg)
set(web_c ${CMAKE_CURRENT_BINARY_DIR}/web_files.c)
add_custom_command(
  OUTPUT ${web_c}
  COMMAND ${CMAKE_COMMAND} -DOUTPUT=${web_c} "-DFILES=${web_files}" -P ${CMAKE_CURRENT_LIST_FILE}
  DEPENDS ${web_files} ${CMAKE_CURRENT_LIST_FILE}
  VERBATIM)
target_sources(wslock_net PRIVATE ${web_c})
