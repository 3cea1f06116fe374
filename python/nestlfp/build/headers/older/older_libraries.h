// What newer C++ compilers call that the oldest systems of NEST's wheel (manylinux2014: glibc 2.17,
// libstdc++ of GCC 4.8) do not have, so that a module compiled here can be loaded there.
//
// Included before everything else of a module that is to be given away: build/prebuild.py. All of
// it is hidden in the module. The old C++ ABI, of NEST's wheel, is assumed.
#pragma once

// glibc 2.32: whether reference counts may be changed without an atomic instruction. Never.
extern "C" __attribute__((visibility("hidden"))) char __libc_single_threaded = 0;

#include <cstdarg>
#include <cstdio>
#include <new>
#include <sstream>
#include <stdexcept>
#include <string>

namespace std
{
// GCC 11. The base class of what it throws, which is itself of GCC 4.9.
__attribute__((visibility("hidden"))) void __throw_bad_array_new_length()
{
  throw bad_alloc();
}

// GCC 4.9
__attribute__((visibility("hidden"))) void __throw_out_of_range_fmt(const char* format, ...)
{
  char what[256];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(what, sizeof what, format, arguments); // knows %zu, all that libstdc++ uses
  va_end(arguments);
  throw out_of_range(string(what));
}

// GCC 5
__attribute__((visibility("hidden"))) runtime_error::runtime_error(const char* what)
  : runtime_error(string(what))
{
}

__attribute__((visibility("hidden"))) out_of_range::out_of_range(const char* what)
  : out_of_range(string(what))
{
}

// GCC 9: a stream that is made without a mode
template basic_stringstream<char>::basic_stringstream();
}
