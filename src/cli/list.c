/*
 * list.c - gyre list: the names of this user's rings.
 */
#include "cli.h"

struct list_options {
    bool is_json;
};

static const struct cli_option list_options[] = {{"json", 0, CLI_FLAG,
                                                  offsetof(struct list_options, is_json), 0, false,
                                                  NULL, "write one JSON object a line", NULL, NULL},
                                                 {.name = NULL}};

/* A name has no character that JSON would want escaped. */
static int visit(const char *name, void *context)
{
    const struct list_options *options = context;

    if (options->is_json)
        cli_print("{\"name\":\"%s\"}\n", name);
    else
        cli_print("%s\n", name);
    return 0;
}

static int run(const struct cli_verb *verb, int argc, char **argv)
{
    struct list_options options = {false};
    struct cli_args     args;
    struct gyre_error   error;
    int                 code = cli_parse(verb, argc, argv, &args, &options);

    if (code != CLI_GO_ON)
        return code;
    if (gyre_ring_list(visit, &options, &error) < 0)
        return cli_fail(&args, &error);
    return CLI_DONE;
}

const struct cli_verb cli_verb_list = {
    "list", NULL, "print the names of your rings, one a line", "", list_options, run};
