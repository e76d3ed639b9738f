/*
 * tail.c - gyre tail: sub as a tap, which the producer neither sees nor feels.
 */
#include "cli.h"

static int run(const struct cli_verb *verb, int argc, char **argv)
{
    struct cli_receive_options options = CLI_RECEIVE_DEFAULTS;
    struct cli_args            args;
    int                        code = cli_parse(verb, argc, argv, &args, &options);

    return code != CLI_GO_ON ? code : cli_receive(&args, &options, GYRE_TAP);
}

const struct cli_verb cli_verb_tail = {
    "tail",
    "NAME",
    "watch a ring without joining it: as sub, but unseen by the producer",
    "Takes no seat, needs no more than read rights and never holds the producer back.  What is\n"
    "overwritten before it is read is lost: tail then writes \"gyre: gap: N messages lost before\n"
    "message SEQ\" to stderr, goes on, and ends with code 6.\n"
    "\n"
    "Waits for the ring if it is not there yet.  The start is the oldest message still in the "
    "ring,\n"
    "the newest (what is published from now on) or a message number; without --from it is newest,\n"
    "but oldest if the ring appeared while tail waited for it.\n"
    "\n"
    "A tap is unseen, so it can be no member of a work-sharing group: that is a sub.\n",
    cli_receive_options + CLI_SUB_ALONE,
    run};
