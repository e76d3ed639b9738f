/*
 * report.c - what went wrong, in one line that names the culprit, and the exit code that says so.
 */
#include "cli.h"

#include <stdio.h>
#include <string.h>

const char cli_exit_codes[] = "exit codes:\n"
                              "    0  done\n"
                              "    1  error\n"
                              "    2  wrong usage: a bad option, value or name\n"
                              "    3  no ring has this name\n"
                              "    4  the operating system denies access\n"
                              "    5  the time was up\n"
                              "    6  done, but messages were lost on the way\n"
                              "  130  interrupted, by Ctrl-C for instance\n";

int cli_exit_of(enum gyre_status status)
{
    switch (status) {
    case GYRE_OK:
    case GYRE_CLOSED:
        return CLI_DONE;
    case GYRE_BAD_ARGUMENT:
        return CLI_USAGE;
    case GYRE_NOT_FOUND:
        return CLI_NOT_FOUND;
    case GYRE_DENIED:
        return CLI_DENIED;
    case GYRE_TIMEOUT:
        return CLI_TIMEOUT;
    case GYRE_GAP:
        return CLI_GAP;
    case GYRE_INTERRUPTED:
        return CLI_INTERRUPTED;
    default:
        return CLI_ERROR;
    }
}

static const char *shown(const char *word)
{
    return word[0] != '\0' ? word : "\"\"";
}

/* A mistake on the command line.  `value` may be NULL, and so may `verb`. */
int cli_usage(const char *verb, const char *culprit, const char *value, const char *why)
{
    bool has_help = verb != NULL && strcmp(verb, "help") != 0;

    fprintf(stderr, "gyre: %s%s%s%s%s: %s\n", verb ? verb : "", verb ? ": " : "", shown(culprit),
            value ? " " : "", value ? shown(value) : "", why);
    fprintf(stderr, "Try \"gyre help%s%s\".\n", has_help ? " " : "", has_help ? verb : "");
    return CLI_USAGE;
}

int cli_read_scope(const char *verb, const char *text, uint32_t *scope)
{
    *scope = GYRE_SCOPE_LOCAL;
    if (text == NULL || strcmp(text, "local") == 0)
        return CLI_GO_ON;
    *scope = GYRE_SCOPE_GLOBAL;
    if (strcmp(text, "global") == 0)
        return CLI_GO_ON;
    return cli_usage(verb, "--scope", text, "neither local nor global");
}

/* The option that set the field which the library blames, if it was given. */
static const struct cli_option *blamed_option(const struct cli_args *args, const char *field,
                                              const char **value)
{
    const struct cli_option *options = args->verb->options;

    if (field == NULL)
        return NULL;
    for (size_t i = 0; options[i].name != NULL; i++)
        if (options[i].field != NULL && args->given[i] != NULL &&
            strcmp(options[i].field, field) == 0) {
            *value = args->given[i];
            return &options[i];
        }
    return NULL;
}

/* What the operating system said, in its own words where the C library has them. */
static void print_call(const struct gyre_error *error)
{
    if (error->os_code == 0) { /* the C library's own, such as calloc */
        fprintf(stderr, " (%s)", error->call);
        return;
    }
#ifdef _WIN32
    fprintf(stderr, " (%s: code %ld)", error->call, (long)error->os_code);
#else
    fprintf(stderr, " (%s: %s, code %ld)", error->call, strerror(error->os_code),
            (long)error->os_code);
#endif
}

/* An error of the library.  Returns the exit code. */
int cli_fail(const struct cli_args *args, const struct gyre_error *error)
{
    const char              *value = NULL;
    const struct cli_option *option = blamed_option(args, error->field, &value);
    const char              *range = option != NULL ? option->range : NULL;

    if (option == NULL && error->field != NULL && strcmp(error->field, "name") == 0)
        range = "a name has 1 to 100 of the characters A-Z a-z 0-9 . _ - and none of . - first";
    fprintf(stderr, "gyre: %s: ", args->verb->name);
    if (args->name != NULL)
        fprintf(stderr, "%s: ", shown(args->name));
    if (option != NULL)
        fprintf(stderr, "--%s%s%s: ", option->name, option->kind == CLI_FLAG ? "" : " ",
                option->kind == CLI_FLAG ? "" : shown(value));
    fputs(gyre_status_sentence(error->status), stderr);
    if (range != NULL && (error->status == GYRE_BAD_ARGUMENT || error->status == GYRE_UNSUPPORTED))
        fprintf(stderr, " (%s)", range);
    else if (option == NULL && error->field != NULL)
        fprintf(stderr, " (field %s)", error->field);
    if (error->call != NULL && error->status != GYRE_NOT_FOUND) /* whose cause is plain */
        print_call(error);
    fputc('\n', stderr);
    if (gyre_error_advice(error) != NULL)
        fprintf(stderr, "gyre: advice: %s\n", gyre_error_advice(error));
    return cli_exit_of(error->status);
}

/* An outcome of the library that ends the command; `sentence` NULL: the library's own. */
int cli_complain(const struct cli_args *args, enum gyre_status status, const char *sentence)
{
    fprintf(stderr, "gyre: %s: %s: %s\n", args->verb->name, args->name,
            sentence ? sentence : gyre_status_sentence(status));
    return cli_exit_of(status);
}
