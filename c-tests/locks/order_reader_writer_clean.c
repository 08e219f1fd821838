#define CLEAN
#include "order_reader_writer.c"
