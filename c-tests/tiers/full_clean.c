/* Nothing fails: what finds no room goes elsewhere, as the rules say. */
#define CLEAN
#include "full.c"
