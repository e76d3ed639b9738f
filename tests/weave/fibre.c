/*
 * fibre.c - switching by hand: swapcontext() makes two system calls each time, this makes none.
 */
#include "fibre.h"

#include <stdint.h>
#include <string.h>

#include "weave.h"

#if !defined(__x86_64__) || defined(_WIN32)
#error "tests/weave switches stacks on x86-64 with the System V calling convention alone"
#endif

#define STACK_SIZE (64u * 1024u)

static unsigned char stacks[WEAVE_ROLES_MAX][STACK_SIZE] __attribute__((aligned(64)));

/* What a function must preserve: rbx, rbp, r12 to r15. */
__asm__(".text\n"
        ".globl weave_switch\n"
        ".type weave_switch, @function\n"
        "weave_switch:\n"
        "    pushq %rbp\n"
        "    pushq %rbx\n"
        "    pushq %r12\n"
        "    pushq %r13\n"
        "    pushq %r14\n"
        "    pushq %r15\n"
        "    movq %rsp, (%rdi)\n"
        "    movq %rsi, %rsp\n"
        "    popq %r15\n"
        "    popq %r14\n"
        "    popq %r13\n"
        "    popq %r12\n"
        "    popq %rbx\n"
        "    popq %rbp\n"
        "    ret\n"
        ".size weave_switch, . - weave_switch\n");

void *weave_stack_begin(unsigned idx, void (*entry)(void))
{
    /* Six registers, the entry, and a return address that nobody uses: rsp is as by call. */
    unsigned char *top = stacks[idx] + STACK_SIZE - 64;
    void          *frame[8] = {0};

    memcpy(&frame[6], &entry, sizeof(entry));
    memcpy(top, frame, sizeof(frame));
    return top;
}
