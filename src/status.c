/*
 * status.c - names and sentences for status.h, and the version.
 */
#include "internal.h"

const char *gyre_status_name(enum gyre_status status)
{
    switch (status) {
#define STATUS_NAME(name, value, sentence)                                                         \
    case name:                                                                                     \
        return #name;
        GYRE_STATUS_LIST(STATUS_NAME)
#undef STATUS_NAME
    }
    return "unknown";
}

const char *gyre_status_sentence(enum gyre_status status)
{
    switch (status) {
#define STATUS_SENTENCE(name, value, sentence)                                                     \
    case name:                                                                                     \
        return sentence;
        GYRE_STATUS_LIST(STATUS_SENTENCE)
#undef STATUS_SENTENCE
    }
    return "a status this library does not know";
}

const char *gyre_version(void)
{
    return GYRE_VERSION_STRING;
}
