/*
 * doctor.c - gyre doctor: what dead processes have left, and what ails this system.
 */
#include "cli.h"

#include <inttypes.h>

#include <gyre/doctor.h>

struct doctor_options {
    bool is_fixing;
    bool is_json;
};

static const struct cli_option doctor_options[] = {
    {"fix", 0, CLI_FLAG, offsetof(struct doctor_options, is_fixing), 0, false, NULL,
     "remove and free what is provably dead", NULL, NULL},
    {"json", 0, CLI_FLAG, offsetof(struct doctor_options, is_json), 0, false, NULL,
     "write one JSON object a line", NULL, NULL},
    {.name = NULL}};

struct doctor {
    struct doctor_options options;
    uint32_t              count;
    uint32_t              mended;
};

static const char *const kinds[] = {"unknown",  "ring",    "file",  "seat",
                                    "producer", "foreign", "space", "barrier"};

static const char *kind_of(const struct gyre_finding *finding)
{
    return finding->kind < sizeof(kinds) / sizeof(kinds[0]) ? kinds[finding->kind] : kinds[0];
}

/* A file's name may be anything, but no control character shall reach a terminal. */
static void print_name(const char *name, bool is_json)
{
    for (; *name != '\0'; name++) {
        unsigned char letter = (unsigned char)*name;
        if (letter < 0x20 || letter == 0x7f || letter == '"' || letter == '\\')
            cli_print(is_json ? "\\u%04x" : "\\x%02x", letter);
        else
            cli_print("%c", letter);
    }
}

static void print_json(const struct gyre_finding *finding)
{
    cli_print("{\"kind\":\"%s\",\"name\":", kind_of(finding));
    if (finding->name != NULL) {
        cli_print("\"");
        print_name(finding->name, true);
        cli_print("\"");
    } else {
        cli_print("null");
    }
    cli_print(",\"number\":%" PRIu64 ",\"mended\":%s}\n", finding->number,
              finding->is_mended ? "true" : "false");
}

static void print_text(const struct gyre_finding *finding)
{
    char text[CLI_GROUPED_SIZE];

    switch (finding->kind) {
    case GYRE_FOUND_SPACE:
        cli_print("little room for rings: %s bytes are free; a ring needs its capacity and some "
                  "KiB (containers: --shm-size)\n",
                  cli_grouped(finding->number, text));
        return;
    case GYRE_FOUND_BARRIER:
        cli_print("membarrier is refused, by a sandbox perhaps: who sleeps costs its producer a "
                  "fence a message\n");
        return;
    case GYRE_FOUND_SEAT:
        cli_print("dead seat: %" PRIu64 " of ", finding->number);
        break;
    case GYRE_FOUND_PRODUCER:
        cli_print("dead producer: of ");
        break;
    case GYRE_FOUND_FOREIGN:
        cli_print("foreign file: ");
        break;
    default:
        cli_print("stale %s: ", kind_of(finding));
    }
    print_name(finding->name, false);
    if (finding->is_mended)
        cli_print(finding->kind == GYRE_FOUND_SEAT ? ": freed" : ": removed");
    else if (finding->kind == GYRE_FOUND_PRODUCER)
        cli_print(": the next one goes on where it ended");
    else if (finding->kind == GYRE_FOUND_FOREIGN)
        cli_print(": left alone: no ring's, or not of an owner that is trusted");
    cli_print("\n");
}

static void visit(const struct gyre_finding *finding, void *context)
{
    struct doctor *doctor = context;

    doctor->count++;
    doctor->mended += finding->is_mended;
    if (doctor->options.is_json)
        print_json(finding);
    else
        print_text(finding);
}

static int run(const struct cli_verb *verb, int argc, char **argv)
{
    struct doctor     doctor = {{false, false}, 0, 0};
    struct cli_args   args;
    struct gyre_error error;
    int               code = cli_parse(verb, argc, argv, &args, &doctor.options);

    if (code != CLI_GO_ON)
        return code;
    if (gyre_doctor(doctor.options.is_fixing, visit, &doctor, &error) < 0)
        return cli_fail(&args, &error);
    if (doctor.count == 0 && !doctor.options.is_json)
        cli_print("nothing to mend\n");
    return doctor.count == doctor.mended ? CLI_DONE : CLI_ERROR;
}

const struct cli_verb cli_verb_doctor = {
    "doctor",
    NULL,
    "name what dead processes left of your rings; --fix removes it",
    "Names rings that no process has open and that were not made to stay, files of rings and\n"
    "consumers that are gone, seats and producers that died, files that are no ring's, little\n"
    "room for rings and a refused membarrier.  --fix removes rings and files and frees seats, "
    "each\n"
    "only while the kernel says that nobody holds it.  Ends with 1 if anything is left to mend.\n",
    doctor_options,
    run};
