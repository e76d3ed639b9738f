/*
 * status.h - every outcome and every error of the library, once.
 *
 * Zero is done.  Positive numbers are outcomes that a healthy program sees daily.  Negative numbers
 * are errors.  A call that fails leaves its out-parameters alone.  The numbers are part of the ABI
 * and are never reused.  The list knows no function of the library and no operating system.
 */
#ifndef GYRE_STATUS_H
#define GYRE_STATUS_H

#include <stdint.h>

#if defined(GYRE_STATIC)
#define GYRE_API
#elif defined(_WIN32)
#if defined(GYRE_BUILDING_SHARED)
#define GYRE_API __declspec(dllexport)
#else
#define GYRE_API __declspec(dllimport)
#endif
#elif defined(__GNUC__)
#define GYRE_API __attribute__((visibility("default")))
#else
#define GYRE_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

#define GYRE_STATUS_LIST(X)                                                                        \
    X(GYRE_OK, 0, "done")                                                                          \
    X(GYRE_TIMEOUT, 1, "the deadline passed")                                                      \
    X(GYRE_CLOSED, 2, "the producer closed the ring and everything it published was received")     \
    X(GYRE_GAP, 3, "messages were lost: they were overwritten before they were read")              \
    X(GYRE_EVICTED, 4, "this consumer lost its seat and must be opened again")                     \
    X(GYRE_ORPHANED, 5, "the producer died without closing; another one may take over")            \
    X(GYRE_INTERRUPTED, 6, "the wait was ended by an interrupt call")                              \
    X(GYRE_BAD_ARGUMENT, -1, "an argument or option is outside its range")                         \
    X(GYRE_TOO_LARGE, -2, "the message is larger than the ring can carry or the buffer can hold")  \
    X(GYRE_NOT_FOUND, -3, "no ring has this name")                                                 \
    X(GYRE_EXISTS, -4, "the ring exists with another value of this option")                        \
    X(GYRE_BUSY, -5, "the role is held by a living process")                                       \
    X(GYRE_DENIED, -6, "the operating system refuses access")                                      \
    X(GYRE_NO_MEMORY, -7, "memory, shared memory, handles or descriptors are used up")             \
    X(GYRE_BAD_LAYOUT, -8, "the shared memory under this name is not a ring this library reads")   \
    X(GYRE_CORRUPT, -9, "the ring holds bytes that no correct producer writes")                    \
    X(GYRE_NO_SEAT, -10, "every consumer seat of the ring is taken")                               \
    X(GYRE_FORKED, -11, "the handle belongs to the parent of this process")                        \
    X(GYRE_UNSUPPORTED, -12, "this system cannot do that")                                         \
    X(GYRE_SYSTEM, -13, "a system call failed in a way the library does not expect")

enum gyre_status {
#define GYRE_STATUS_ENUM(name, value, sentence) name = (value),
    GYRE_STATUS_LIST(GYRE_STATUS_ENUM)
#undef GYRE_STATUS_ENUM
};

/*
 * What went wrong, for people.  `call` names the system call that failed and `os_code` is its errno
 * or GetLastError; both are empty when no call failed, and `os_code` also when it was one of the C
 * library that gives none (calloc).  `field` names the argument, option or field
 * of the map that is the culprit.  The strings live as long as the library is loaded.
 */
struct gyre_error {
    enum gyre_status status;
    int32_t          os_code;
    const char      *call;
    const char      *field;
};

/* The name of a status, such as "GYRE_TIMEOUT"; "unknown" for any other number.  Never NULL. */
GYRE_API const char *gyre_status_name(enum gyre_status status);

/* One sentence that says what a status means.  Never NULL. */
GYRE_API const char *gyre_status_sentence(enum gyre_status status);

/*
 * What to do about an error, in one sentence; NULL if the status says it all.  When resources are
 * used up (NO_MEMORY) error.field names which: "space", "quota", "memory", "locks", "inotify",
 * "file-max", "RLIMIT_NOFILE", "RLIMIT_FSIZE", "commit".
 */
GYRE_API const char *gyre_error_advice(const struct gyre_error *error);

#ifdef __cplusplus
}
#endif

#endif
