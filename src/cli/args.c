/*
 * args.c - the command line of one verb, read by its table of options.
 *
 * It knows --option VALUE, --option=VALUE, -o VALUE, -oVALUE, -- and --help, in any order with the
 * name of the ring.  What an option means is the verb's business.
 */
#include "cli.h"

#include <stdio.h>
#include <string.h>

/* The words still to be read. */
struct words {
    int    count;
    char **at;
};

/* One option as it stands on the command line, its name with dashes for messages. */
struct found {
    const struct cli_option *option;
    size_t                   idx;
    const char              *value; /* NULL: it is the next word */
    char                     spelling[32];
};

static const char *needed(const struct cli_option *option)
{
    switch (option->kind) {
    case CLI_COUNT:
        return "not a whole number";
    case CLI_SIZE:
        return "not a size such as 4096, 64K, 4M or 1G";
    case CLI_DURATION:
        return "not a duration such as 500ms, 1.5s or 2";
    case CLI_MODE:
        return "not a mode such as 0640";
    default:
        return "not a value";
    }
}

static bool store_number(const struct cli_option *option, const char *value, uint64_t *number)
{
    switch (option->kind) {
    case CLI_SIZE:
        return cli_read_size(value, number);
    case CLI_DURATION:
        return cli_read_duration(value, number);
    case CLI_MODE:
        return cli_read_mode(value, number);
    default:
        return cli_read_count(value, number);
    }
}

static int store(const struct cli_verb *verb, const struct found *found, const char *value,
                 void *options)
{
    const struct cli_option *option = found->option;
    void                    *place = (char *)options + option->offset;
    uint64_t                 number = 0;

    if (option->kind == CLI_FLAG) {
        *(bool *)place = true;
        return CLI_GO_ON;
    }
    if (option->kind == CLI_TEXT) {
        *(const char **)place = value;
        return CLI_GO_ON;
    }
    if (!store_number(option, value, &number))
        return cli_usage(verb->name, found->spelling, value, needed(option));
    if (number == 0 && !option->may_be_zero)
        return cli_usage(verb->name, found->spelling, value, "must not be zero");
    if (option->max != 0 && number > option->max)
        return cli_usage(verb->name, found->spelling, value,
                         option->range != NULL ? option->range : "too large");
    *(uint64_t *)place = number;
    return CLI_GO_ON;
}

/* Finds the option of a word that begins with a dash. */
static bool find_option(const struct cli_option *options, const char *word, struct found *found)
{
    size_t dashes = word[1] == '-' ? 2 : 1;
    size_t length = dashes == 2 ? strcspn(word + 2, "=") : 1;

    (void)snprintf(found->spelling, sizeof(found->spelling), "%.*s", (int)(dashes + length), word);
    for (found->idx = 0; options[found->idx].name != NULL; found->idx++) {
        const struct cli_option *option = &options[found->idx];
        bool                     is_same = dashes == 1 ? option->letter == word[1]
                                                       : strlen(option->name) == length &&
                                         strncmp(option->name, word + 2, length) == 0;
        const char              *rest = word + dashes + length;
        if (is_same) {
            found->option = option;
            found->value = *rest == '\0' ? NULL : rest + (dashes == 2);
            return true;
        }
    }
    return false;
}

static int read_option(const struct cli_verb *verb, struct words *words, struct cli_args *args,
                       void *options)
{
    const char  *word = *words->at;
    struct found found;

    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) {
        cli_print_help(verb);
        return CLI_DONE;
    }
    if (!find_option(verb->options, word, &found))
        return cli_usage(verb->name, word, NULL, "unknown option");
    if (found.option->kind == CLI_FLAG) {
        if (found.value != NULL)
            return cli_usage(verb->name, word, NULL, "this option takes no value");
        found.value = "";
    } else if (found.value == NULL) {
        if (words->count < 2)
            return cli_usage(verb->name, word, found.option->value_name, "the value is missing");
        words->count--;
        found.value = *++words->at;
    }
    args->given[found.idx] = found.value;
    return store(verb, &found, found.value, options);
}

int cli_parse(const struct cli_verb *verb, int argc, char **argv, struct cli_args *args,
              void *options)
{
    struct words words = {argc, argv};
    bool         are_options_over = false;

    *args = (struct cli_args){.verb = verb};
    for (; words.count > 0; words.count--, words.at++) {
        const char *word = *words.at;
        if (!are_options_over && strcmp(word, "--") == 0) {
            are_options_over = true;
        } else if (!are_options_over && word[0] == '-' && word[1] != '\0') {
            int code = read_option(verb, &words, args, options);
            if (code != CLI_GO_ON)
                return code;
        } else if (verb->operand == NULL) {
            return cli_usage(verb->name, word, NULL, "this verb takes no name");
        } else if (args->name != NULL) {
            return cli_usage(verb->name, word, NULL, "there is a name already");
        } else {
            args->name = word;
        }
    }
    if (verb->operand != NULL && args->name == NULL)
        return cli_usage(verb->name, verb->operand, NULL, "the name of the ring is missing");
    return CLI_GO_ON;
}

void cli_print_help(const struct cli_verb *verb)
{
    const struct cli_option *option;

    cli_print("usage: gyre %s%s%s [OPTION]...\n%s\n", verb->name, verb->operand ? " " : "",
              verb->operand ? verb->operand : "", verb->summary);
    if (verb->details[0] != '\0')
        cli_print("\n%s", verb->details);
    cli_print("\noptions:\n");
    for (option = verb->options; option->name != NULL; option++) {
        char left[40];
        char letter[5] = {'-', option->letter, ',', ' ', '\0'};
        (void)snprintf(left, sizeof(left), "%s--%s%s%s", option->letter != '\0' ? letter : "",
                       option->name, option->value_name ? " " : "",
                       option->value_name ? option->value_name : "");
        cli_print("  %-22s  %s\n", left, option->help);
    }
    cli_print("  %-22s  %s\n", "-h, --help", "print this and exit");
    cli_print("\n%s", cli_exit_codes);
}
