/*
 * main.c - the command: finds the verb and lets it run.
 */
#include "cli.h"

#include <string.h>

#include "sync.h"

static const struct cli_verb *const verbs[] = {&cli_verb_pub,   &cli_verb_sub,  &cli_verb_tail,
                                               &cli_verb_stat,  &cli_verb_list, &cli_verb_rm,
                                               &cli_verb_doctor};
#define VERB_COUNT (sizeof(verbs) / sizeof(verbs[0]))

static const struct cli_verb *find_verb(const char *name)
{
    for (size_t i = 0; i < VERB_COUNT; i++)
        if (strcmp(verbs[i]->name, name) == 0)
            return verbs[i];
    return NULL;
}

static void print_overview(void)
{
    cli_print("usage: gyre VERB [NAME] [OPTION]...\n"
              "Messages between processes, through a ring in shared memory.\n\nverbs:\n");
    for (size_t i = 0; i < VERB_COUNT; i++)
        cli_print("  %-6s %-4s  %s\n", verbs[i]->name,
                  verbs[i]->operand != NULL ? verbs[i]->operand : "", verbs[i]->summary);
    cli_print("  help   VERB  print the options of a verb\n\n"
              "  gyre --help, gyre --version\n\n"
              "Names have 1 to 100 of the characters A-Z a-z 0-9 . _ - and begin with none of . -\n"
              "Sizes: 4096, 64K, 4M, 1G.  Durations: 500ms, 1.5s, 2 (seconds).\n\n%s",
              cli_exit_codes);
}

static int print_version(void)
{
    cli_print("gyre %s\n", GYRE_VERSION_STRING);
    if (strcmp(gyre_version(), GYRE_VERSION_STRING) != 0)
        cli_print("library %s\n", gyre_version());
    return CLI_DONE;
}

static int help(int argc, char **argv)
{
    const struct cli_verb *verb;

    if (argc == 0 || strcmp(argv[0], "--help") == 0) {
        print_overview();
        return CLI_DONE;
    }
    verb = find_verb(argv[0]);
    if (verb == NULL)
        return cli_usage("help", argv[0], NULL, "unknown verb");
    if (argc > 1)
        return cli_usage("help", argv[1], NULL, "one verb at a time");
    cli_print_help(verb);
    return CLI_DONE;
}

static int dispatch(int argc, char **argv)
{
    const struct cli_verb *verb;

    if (argc < 2)
        return cli_usage(NULL, "VERB", NULL, "the verb is missing");
    if (strcmp(argv[1], "help") == 0 || strcmp(argv[1], "--help") == 0 ||
        strcmp(argv[1], "-h") == 0)
        return help(argc - 2, argv + 2);
    if (strcmp(argv[1], "--version") == 0 && argc > 2)
        return cli_usage(NULL, argv[2], NULL, "--version stands alone");
    if (strcmp(argv[1], "--version") == 0)
        return print_version();
    verb = find_verb(argv[1]);
    if (verb == NULL)
        return cli_usage(NULL, argv[1], NULL,
                         argv[1][0] == '-' ? "unknown option" : "unknown verb");
    return verb->run(verb, argc - 2, argv + 2);
}

int main(int argc, char **argv)
{
    sync_console_prepare();
    cli_output_prepare();
    return cli_print_end(dispatch(argc, argv));
}
