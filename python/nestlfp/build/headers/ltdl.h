/* What NEST's headers need of libltdl, where the system has none: the type of a loaded library.
 *
 * module_manager.h keeps such handles; extension modules never touch them. Compilers search this
 * folder after all others, so that the header of an installed libltdl is preferred.
 */
#ifndef NESTLFP_LTDL_H
#define NESTLFP_LTDL_H

typedef struct lt__handle* lt_dlhandle;

#endif
