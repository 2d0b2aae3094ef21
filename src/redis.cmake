# TLS to Redis needs hiredis_ssl, which comes with hiredis 1.0.
pkg_check_modules(HIREDIS_SSL IMPORTED_TARGET hiredis_ssl)
if(HIREDIS_SSL_FOUND)
  target_sources(wslock_redis PRIVATE ${CMAKE_CURRENT_SOURCE_DIR}/redis/tls/openssl.c)
  target_link_libraries(wslock_redis PUBLIC PkgConfig::HIREDIS_SSL PkgConfig::OPENSSL)
  target_compile_definitions(wslock_config PUBLIC WSLOCK_REDIS_TLS) # rediss:// is allowed
else()
  target_sources(wslock_redis PRIVATE ${CMAKE_CURRENT_SOURCE_DIR}/redis/tls/none.c)
endif()
