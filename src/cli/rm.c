/*
 * rm.c - gyre rm: removes a ring.
 */
#include "cli.h"

struct rm_options {
    bool is_forced;
};

static const struct cli_option rm_options[] = {
    {"force", 0, CLI_FLAG, offsetof(struct rm_options, is_forced), 0, false, NULL,
     "even if some process has it open", NULL, NULL},
    {.name = NULL}};

static int run(const struct cli_verb *verb, int argc, char **argv)
{
    struct rm_options options = {false};
    struct cli_args   args;
    struct gyre_error error;
    enum gyre_status  status;
    int               code = cli_parse(verb, argc, argv, &args, &options);

    if (code != CLI_GO_ON)
        return code;
    status = gyre_ring_remove(args.name, options.is_forced, &error);
    if (status == GYRE_BUSY)
        return cli_complain(&args, status,
                            options.is_forced
                                ? "some process has it open, and this system removes none by force"
                                : "some process has it open; --force removes it all the same");
    return status == GYRE_OK ? CLI_DONE : cli_fail(&args, &error);
}

const struct cli_verb cli_verb_rm = {
    "rm",
    "NAME",
    "remove a ring that no process has open",
    "Processes that have the ring open when --force removes it keep it to themselves.  Windows\n"
    "removes each ring with its last process and nothing else does.\n",
    rm_options,
    run};
