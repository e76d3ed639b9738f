/*
 * cli_streams.h - put before each source of the command: what it prints goes nowhere, and what the
 * fuzzer and the sanitizers print does not.
 */
#include <stdio.h>

extern FILE *cli_nowhere;

#undef stdout
#undef stderr
#define stdout cli_nowhere
#define stderr cli_nowhere
