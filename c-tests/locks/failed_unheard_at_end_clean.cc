#define CLEAN
#include "failed_unheard_at_end.cc"
