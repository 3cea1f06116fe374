// What newer compilers and C libraries call that the oldest systems of NEURON's wheel
// (manylinux_2_27: glibc 2.27) do not have, so that mechanisms compiled here can be loaded there.
//
// Included before everything else of mechanisms that are to be given away: build/prebuild.py.
#pragma once

// glibc 2.32: whether reference counts may be changed without an atomic instruction. Never.
extern "C" __attribute__((weak, visibility("hidden"))) char __libc_single_threaded = 0;

// glibc 2.29: log that does not set errno by itself. The one before is in all of them.
#ifdef __x86_64__
__asm__(".symver log,log@GLIBC_2.2.5");
#endif
