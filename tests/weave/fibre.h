/*
 * fibre.h - stacks that take turns in one thread.  x86-64, System V.
 */
#ifndef GYRE_TESTS_WEAVE_FIBRE_H
#define GYRE_TESTS_WEAVE_FIBRE_H

/* Saves where we are in *from and goes on at `to`. */
void weave_switch(void **from, void *to);

/* A stack that begins in `entry`, which never returns. */
void *weave_stack_begin(unsigned idx, void (*entry)(void));

#endif
