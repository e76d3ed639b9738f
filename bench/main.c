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
#ifdef __clang__
#define COMPILER "" /* its version names it */
#else
#define COMPILER "gcc "
#endif

static const struct quantity {
    const char *name;
    int (*run)(struct session *session);
} quantities[] = {
    {"limits", bench_limits},
    {"one_to_one_latency", bench_one_to_one_latency},
    {"one_to_one_throughput", bench_one_to_one_throughput},
    {"one_to_many_throughput", bench_one_to_many_throughput},
    {"wake_latency", bench_wake_latency},
};
#define QUANTITY_COUNT (sizeof(quantities) / sizeof(quantities[0]))

struct arguments {
    const char *json;
    const char *chart;
    int         is_quick;
    int         is_chosen[QUANTITY_COUNT]; /* none: all */
    uint64_t    rounds;
    uint64_t    capacity;
    uint64_t    batch;
};

static const char help[] =
    "usage: gyre-bench [BENCH...] [--quick] [--rounds N] [--json FILE] [--chart FILE]\n"
    "                  [--capacity BYTES] [--batch N]\n"
    "\n"
    "Measures Gyre, its contestants and the machine's limits, side by side, between processes.\n"
    "BENCH: limits one_to_one_latency one_to_one_throughput one_to_many_throughput wake_latency\n"
    "       (default: all)\n"
    "--quick           7 short rounds instead of 9 long ones\n"
    "--rounds N        that many rounds, 1 to 64\n"
    "--json FILE       appends one object a line\n"
    "--chart FILE      writes an SVG chart\n"
    "--capacity BYTES  of the rings, a power of two, 4096 to 32M, K and M are known (default 4M)\n"
    "--batch N         messages a publish, 1 to 1024 (default 1)\n";

static int usage(const char *what, const char *argument)
{
    (void)fprintf(stderr, "gyre-bench: %s '%s' (--help tells more)\n", what, argument);
    return 2;
}

/* 0 and the number, or -1 if the text is not a number from least to most. */
static int parse_number(const char *text, uint64_t least, uint64_t most, uint64_t *number)
{
    char    *end;
    uint64_t value;

    if (text == NULL || text[0] < '0' || text[0] > '9')
        return -1;
    errno = 0;
    value = strtoull(text, &end, 10);
    if (errno != 0 || value > most)
        return -1;
    if (*end == 'K' || *end == 'M')
        value <<= *end++ == 'K' ? 10 : 20;
    if (*end != '\0' || value < least || value > most)
        return -1;
    *number = value;
    return 0;
}

static int choose(struct arguments *arguments, const char *name)
{
    for (size_t i = 0; i < QUANTITY_COUNT; i++) {
        if (strcmp(name, quantities[i].name) == 0) {
            arguments->is_chosen[i] = 1;
            return 0;
        }
    }
    return usage("there is no such bench:", name);
}

/* An option and its value.  0, or 2 and said why. */
static int parse_option(struct arguments *arguments, const char *option, const char *value)
{
    int result = 0;

    if (value == NULL)
        return usage("a value is missing after", option);
    if (strcmp(option, "--json") == 0)
        arguments->json = value;
    else if (strcmp(option, "--chart") == 0)
        arguments->chart = value;
    else if (strcmp(option, "--rounds") == 0)
        result = parse_number(value, 1, CONTEST_ROUNDS_MAX, &arguments->rounds);
    else if (strcmp(option, "--batch") == 0)
        result = parse_number(value, 1, 1024, &arguments->batch);
    else if (strcmp(option, "--capacity") == 0)
        result = parse_number(value, 4096, 32u << 20, &arguments->capacity);
    if (result != 0 || (arguments->capacity & (arguments->capacity - 1)) != 0) {
        (void)fprintf(stderr, "gyre-bench: %s cannot be '%s' (--help tells more)\n", option, value);
        return 2;
    }
    return 0;
}

static int is_option(const char *argument)
{
    static const char *const options[] = {"--json", "--chart", "--rounds", "--batch", "--capacity"};
    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
        if (strcmp(argument, options[i]) == 0)
            return 1;
    return 0;
}

/* 0; 2: wrong, and said why; -1: only help was wanted. */
static int parse(struct arguments *arguments, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        int result = 0;
        if (strcmp(argv[i], "--help") == 0)
            return -1;
        if (strcmp(argv[i], "--quick") == 0) {
            arguments->is_quick = 1;
        } else if (is_option(argv[i])) {
            result = parse_option(arguments, argv[i], i + 1 < argc ? argv[i + 1] : NULL);
            i++;
        } else if (argv[i][0] == '-') {
            result = usage("unknown option", argv[i]);
        } else {
            result = choose(arguments, argv[i]);
        }
        if (result != 0)
            return result;
    }
    return 0;
}

static int session_begin(struct session *session, const struct arguments *arguments)
{
    int is_quick = arguments->is_quick;

    session->is_quick = is_quick;
    session->round_count = is_quick ? ROUNDS_QUICK : ROUNDS_DEFAULT;
    if (arguments->rounds != 0)
        session->round_count = (uint32_t)arguments->rounds;
    session->capacity = arguments->capacity != 0 ? arguments->capacity : UINT64_C(4) << 20;
    session->batch = arguments->batch != 0 ? (uint32_t)arguments->batch : 1;
    session->pass_ns = is_quick ? 12000000 : 80000000;
    session->idle_ns = is_quick ? 100000000 : 1000000000;
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
    struct host_machine machine = {{0}, {0}, 0};
    char                title[300];
    double              word = measure_word(session);

    if (word < 0)
        return -1;
    host_describe(&machine);
    (void)printf("cpu       %s, %d cores; producer on %d, consumer on %d\n", machine.cpu,
                 machine.core_count, session->cores[0], session->cores[1]);
    (void)printf("system    %s\n", machine.system);
    (void)printf("compiler  %s%s\n", COMPILER, __VERSION__);
    (void)printf("limit L1  %.0f ns one way, p50, with a time stamp a round trip (%s)\n", word,
                 STAMP_NAME);
    (void)fflush(stdout);
    (void)snprintf(title, sizeof(title), "Gyre, %s - %s - %s", host_platform(), machine.cpu,
                   machine.system);
    session->chart = chart_make(title);
    return 0;
}

static int run_all(struct session *session, const struct arguments *arguments)
{
    int is_any_chosen = 0;

    for (size_t i = 0; i < QUANTITY_COUNT; i++)
        is_any_chosen |= arguments->is_chosen[i];
    for (size_t i = 0; i < QUANTITY_COUNT; i++)
        if ((!is_any_chosen || arguments->is_chosen[i]) && quantities[i].run(session) != 0)
            return -1;
    if (arguments->chart == NULL || session->chart == NULL)
        return 0;
    switch (chart_write(session->chart, arguments->chart)) {
    case 0:
        (void)printf("\nchart: %s\n", arguments->chart);
        break;
    case 1:
        break;
    default:
        (void)fprintf(stderr, "gyre-bench: %s: %s\n", arguments->chart, strerror(errno));
        return -1;
    }
    return 0;
}

int main(int argc, char **argv)
{
    struct arguments arguments = {0};
    struct session   session = {0};
    int              result = host_worker(argc, argv);

    if (result >= 0)
        return result;
    result = parse(&arguments, argc, argv);
    if (result < 0)
        return fputs(help, stdout) < 0;
    if (result > 0)
        return result;
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
