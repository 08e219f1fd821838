/* The clean twin of mismatch_modules.cc: the plugin frees what it has made. shim must be silent. */
#define CLEAN
#include "mismatch_modules.cc"
