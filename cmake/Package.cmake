# What `cmake --install` puts where, and the Debian package that `cpack` makes of it: the tool, its examples, its pages.
include(GNUInstallDirs)
install(TARGETS cnnc)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/examples/ DESTINATION ${CMAKE_INSTALL_DATADIR}/cnnc/examples)
install(FILES ${PROJECT_SOURCE_DIR}/README.md ${PROJECT_SOURCE_DIR}/CHANGELOG.md DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(FILES ${PROJECT_SOURCE_DIR}/LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR} RENAME copyright)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/docs DESTINATION ${CMAKE_INSTALL_DOCDIR})
# What is installed is built by naming it: the tests are no part of it.
set(CMAKE_SKIP_INSTALL_ALL_DEPENDENCY ON)

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME cnnc)
set(CPACK_PACKAGE_VENDOR "The cnnc project")
set(CPACK_PACKAGE_CONTACT "The cnnc project <cnnc@localhost>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "Compiler for convolutional networks")
set(CPACK_PACKAGE_DESCRIPTION "cnnc checks a network that is written as text, fuses and tiles it, trains it,
 and writes a library for C and C++ that needs nothing but libc.")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION devel)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_COMPRESSION_TYPE xz)
include(CPack)
