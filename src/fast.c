/*
 * fast.c - the inline functions of fast.h once more, as symbols of the library: for MSVC, for
 * bindings of other languages and for whoever defines GYRE_NO_INLINE.
 */
#define GYRE_FAST_EXPORTS
#include <gyre/gyre.h>
