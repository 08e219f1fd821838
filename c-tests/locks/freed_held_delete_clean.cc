#define CLEAN
#include "freed_held_delete.cc"
