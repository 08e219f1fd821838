/*
 * What throws for std::mutex: of libstdc++, imported by any user of it. Its header is not the same in all versions.
 */
#ifndef THROW_H
#define THROW_H

#include <system_error>

[[noreturn]] void throw_system_error(int error) __asm__("_ZSt20__throw_system_errori");

#endif
