/*
 * main.c - gyre-bench: arguments, the machine's description, the quantities one after the other.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "stamp.h"

#define ROUNDS_DEFAULT 9u
#define ROUNDS_QUICK 7u
#define CAPACITY_MAX (64u << 20)

static int (*const quantities[])(struct session *session) = {
    bench_limits,
    bench_one_to_one_latency,
    bench_one_to_one_throughput,
    bench_one_to_many_throughput,
    bench_publish_with_attached,
    bench_wake_latency,
};
#define QUANTITY_COUNT (sizeof(quantities) / sizeof(quantities[0]))

struct arguments {
    const char *json;
    const char *chart;
    uint64_t    rounds;
};

static const char help[] =
    "usage: gyre-bench [--quick] [--only PATTERN]... [--systems PATTERN]... [--list]\n"
    "                  [--rounds N] [--size N,...] [--capacity N,...] [--batch N,...]\n"
    "                  [--consumers N,...] [--placement near|far] [--json FILE] [--chart FILE]\n"
    "\n"
    "Measures Gyre, its contestants and the machine's limits, side by side, between processes.\n"
    "Every message is written in full, read in full and checked: what loses one, fails.\n"
    "\n"
    "--quick              7 short rounds of the quantities that have bars\n"
    "--only PATTERN       contests whose name holds PATTERN, or matches it if there is a * in it\n"
    "--systems PATTERN    contestants likewise; Gyre and the limits stay (none: --systems gyre)\n"
    "--list               the contests' names, and no measurement\n"
    "--rounds N           that many rounds, 1 to 64\n"
    "--size N,...         messages of these sizes, multiples of 8 up to 64K, and with the next "
    "two\n"
    "--capacity N,...     rings of these capacities, powers of two from 4K to 64M, and\n"
    "--batch N,...        so many messages a publish, 1 to 1024: each with each, in one_to_one_*\n"
    "--consumers N,...    so many consumers, 1 to 16, in one_to_many_throughput\n"
    "--placement WHERE    near or far: waits up to ten minutes for it before each round (virtual "
    "cores\n"
    "                     are moved by their host)\n"
    "--json FILE          appends one object a line\n"
    "--chart FILE         writes an SVG chart\n";

static int usage(const char *what, const char *argument)
{
    (void)fprintf(stderr, "gyre-bench: %s '%s' (--help tells more)\n", what, argument);
    return 2;
}

/* 0 and the number, or -1 if the text does not begin with a number from least to most. */
static int parse_number(const char **text, uint64_t least, uint64_t most, uint64_t *number)
{
    char    *end;
    uint64_t value;

    if (**text < '0' || **text > '9')
        return -1;
    errno = 0;
    value = strtoull(*text, &end, 10);
    if (errno != 0 || value > most)
        return -1;
    if (*end == 'K' || *end == 'M')
        value <<= *end++ == 'K' ? 10 : 20;
    if (value < least || value > most)
        return -1;
    *number = value;
    *text = end;
    return 0;
}

/* Numbers between commas.  0 or -1. */
static int parse_list(const char *text, uint64_t least, uint64_t most, struct list *list)
{
    for (list->count = 0; list->count < LIST_MAX; text++) {
        if (parse_number(&text, least, most, &list->value[list->count++]) != 0)
            return -1;
        if (*text == '\0')
            return 0;
        if (*text != ',')
            return -1;
    }
    return -1;
}

static int parse_sizes(const char *text, struct list *sizes)
{
    int result = parse_list(text, 8, 65536, sizes);
    for (uint32_t i = 0; i < sizes->count && result == 0; i++)
        result = sizes->value[i] % 8 == 0 ? 0 : -1;
    return result;
}

static int parse_capacities(const char *text, struct list *capacities)
{
    int result = parse_list(text, 4096, CAPACITY_MAX, capacities);
    for (uint32_t i = 0; i < capacities->count && result == 0; i++)
        result = (capacities->value[i] & (capacities->value[i] - 1)) == 0 ? 0 : -1;
    return result;
}

static int add_pattern(const char *patterns[PATTERNS_MAX], uint32_t *count, const char *pattern)
{
    if (*count == PATTERNS_MAX || pattern[0] == '\0')
        return -1;
    patterns[(*count)++] = pattern;
    return 0;
}

static int parse_placement(const char *text, enum placement *place)
{
    for (*place = PLACE_NEAR; *place < PLACE_COUNT; (*place)++)
        if (strcmp(text, placement_names[*place]) == 0)
            return 0;
    return -1;
}

static const char *const options[] = {
    "--only",  "--systems",   "--rounds",    "--size", "--capacity",
    "--batch", "--consumers", "--placement", "--json", "--chart",
};
#define OPTION_COUNT (sizeof(options) / sizeof(options[0]))

static size_t option_idx(const char *argument)
{
    size_t i = 0;
    while (i < OPTION_COUNT && strcmp(argument, options[i]) != 0)
        i++;
    return i;
}

/* An option and its value.  0 or -1. */
static int parse_option(struct session *session, struct arguments *arguments, size_t option,
                        const char *value)
{
    switch (option) {
    case 0:
        return add_pattern(session->only, &session->only_count, value);
    case 1:
        return add_pattern(session->systems, &session->system_count, value);
    case 2:
        return parse_number(&value, 1, ROUNDS_WANTED_MAX, &arguments->rounds) == 0 ? -*value : -1;
    case 3:
        return parse_sizes(value, &session->sizes);
    case 4:
        return parse_capacities(value, &session->capacities);
    case 5:
        return parse_list(value, 1, 1024, &session->batches);
    case 6:
        return parse_list(value, 1, JOB_CONSUMERS_MAX, &session->consumers);
    case 7:
        return parse_placement(value, &session->wanted_place);
    case 8:
        arguments->json = value;
        return 0;
    default:
        arguments->chart = value;
        return 0;
    }
}

/* 0; 2: wrong, and said why; -1: only help was wanted. */
static int parse(struct session *session, struct arguments *arguments, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        size_t option = option_idx(argv[i]);
        if (strcmp(argv[i], "--help") == 0)
            return -1;
        if (strcmp(argv[i], "--quick") == 0) {
            session->is_quick = 1;
        } else if (strcmp(argv[i], "--list") == 0) {
            session->is_list = 1;
        } else if (option == OPTION_COUNT) {
            return usage("unknown argument", argv[i]);
        } else {
            if (++i == argc)
                return usage("a value is missing after", options[option]);
            if (parse_option(session, arguments, option, argv[i]) == 0)
                continue;
            (void)fprintf(stderr, "gyre-bench: %s cannot be '%s' (--help tells more)\n",
                          options[option], argv[i]);
            return 2;
        }
    }
    return 0;
}

static int session_begin(struct session *session, const struct arguments *arguments)
{
    int is_quick = session->is_quick;

    session->round_count = is_quick ? ROUNDS_QUICK : ROUNDS_DEFAULT;
    if (arguments->rounds != 0)
        session->round_count = (uint32_t)arguments->rounds;
    session->pass_ns = is_quick ? 10000000 : 60000000;
    session->idle_ns = is_quick ? 50000000 : 500000000;
    session->wake_count = is_quick ? 150 : 1000;
    session->core_count = host_cores(session->cores);
    if (session->core_count < 2) {
        (void)fprintf(stderr, "gyre-bench: two cores are needed, here is %d\n",
                      session->core_count);
        return -1;
    }
    if (arguments->json != NULL && (session->json = fopen(arguments->json, "a")) == NULL) {
        (void)fprintf(stderr, "gyre-bench: %s: %s\n", arguments->json, strerror(errno));
        return -1;
    }
    session->job = host_begin();
    if (session->job == NULL)
        return -1;
    session->ns_per_stamp = stamp_worth_ns();
    session->job->ns_per_stamp = session->ns_per_stamp;
    session->job->bench_pid = host_pid();
    session->job->idle_ns = session->idle_ns;
    session->job->every_ns = 200000;
    return 0;
}

static int describe(struct session *session)
{
    struct host_machine machine = {{0}, {0}, {0}, {0}, 0};
    struct limits_now   now;
    char                title[300];

    if (measure_limits(session, &now) != 0)
        return -1;
    host_describe(&machine);
    report_machine(&machine, &now, session);
    (void)snprintf(title, sizeof(title), "Gyre, %s - %s - %s", host_platform(), machine.cpu,
                   machine.system);
    session->chart = chart_make(title);
    return 0;
}

static int write_chart(const struct session *session, const char *path)
{
    if (path == NULL || session->chart == NULL)
        return 0;
    switch (chart_write(session->chart, path)) {
    case 0:
        (void)printf("\nchart: %s\n", path);
        return 0;
    case 1:
        return 0;
    default:
        (void)fprintf(stderr, "gyre-bench: %s: %s\n", path, strerror(errno));
        return -1;
    }
}

static int run_all(struct session *session, const struct arguments *arguments)
{
    int result = 0;

    for (size_t i = 0; i < QUANTITY_COUNT && result == 0; i++)
        result = quantities[i](session);
    if (session->is_list)
        return 0;
    /* What was measured before something failed is still worth telling. */
    if (write_chart(session, arguments->chart) != 0)
        result = -1;
    report_verdicts(session);
    if (session->wanted_count > 0)
        return result;
    (void)fprintf(stderr, "gyre-bench: no contest has such a name (--list tells them)\n");
    return -1;
}

int main(int argc, char **argv)
{
    static struct session session;
    struct arguments      arguments = {0};
    int                   result = host_worker(argc, argv);

    if (result >= 0)
        return result;
    session.wanted_place = PLACE_COUNT;
    result = parse(&session, &arguments, argc, argv);
    if (result < 0)
        return fputs(help, stdout) < 0;
    if (result > 0)
        return result;
    if (session.is_list)
        return run_all(&session, &arguments) != 0;
    if (session_begin(&session, &arguments) != 0)
        return 1;
    result = describe(&session) != 0 || run_all(&session, &arguments) != 0;
    if (host_is_interrupted())
        result = 130;
    host_end();
    chart_free(session.chart);
    if (session.json != NULL && fclose(session.json) != 0)
        result = 1;
    return result;
}
