/*
 * ring_dir.h - a private place for the rings of one test program, and names that nobody else uses.
 *
 * Linux: the first call makes a directory on tmpfs, points GYRE_DIR at it and removes it when the
 * program ends.  Windows: names alone keep programs apart.  Every test that opens a ring takes its
 * name from here.
 */
#ifndef GYRE_TESTS_RING_DIR_H
#define GYRE_TESTS_RING_DIR_H

/* A new name at each call.  The last eight stay valid. */
const char *ring_dir_name(void);

/* The private directory; NULL on Windows. */
const char *ring_dir_path(void);

#endif
