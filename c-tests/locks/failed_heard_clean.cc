#define CLEAN
#include "failed_heard.cc"
