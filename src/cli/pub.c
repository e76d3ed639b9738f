/*
 * pub.c - gyre pub: what comes from stdin goes into the ring.
 *
 * Whatever one read brings is claimed message by message, copied once, straight into the ring, and
 * published at once: before the next read, and before a wait for room, so that nothing is held back
 * from the consumers that are to make this room.
 */
#include "cli.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct pub_options {
    uint64_t    capacity;
    uint64_t    frame_align;
    uint64_t    seat_count;
    uint64_t    block;
    uint64_t    subscriber_count;
    uint64_t    timeout_ns;
    uint64_t    stall_timeout_ns;
    uint64_t    mode;
    const char *owner_group;
    const char *sddl;
    const char *scope;
    const char *on_error;
    bool        is_kept;
    bool        is_strict;
    bool        is_standby;
};

#define AT(member) offsetof(struct pub_options, member)

static const struct cli_option pub_options[] = {
    {"capacity", 0, CLI_SIZE, AT(capacity), 0, false, "SIZE",
     "of a new ring, a power of two from 4K to 1T (4M)", "capacity",
     "a power of two from 4K to 1T"},
    {"align", 0, CLI_SIZE, AT(frame_align), 64, false, "SIZE",
     "of a new ring: messages take multiples of it (64)", "frame_align", "8, 16, 32 or 64"},
    {"seats", 0, CLI_COUNT, AT(seat_count), GYRE_SEATS_MAX, false, "COUNT",
     "of a new ring: how many consumers it can have (63)", "seat_count", "1 to 255"},
    {"keep", 0, CLI_FLAG, AT(is_kept), 0, false, NULL,
     "a new ring stays when the last process has left it", "GYRE_KEEP", NULL},
    {"strict-wake", 0, CLI_FLAG, AT(is_strict), 0, false, NULL,
     "of a new ring: never miss a sleeper, a fence a message", "GYRE_STRICT_WAKE", NULL},
    {"mode", 0, CLI_MODE, AT(mode), 0, false, "MODE",
     "of a new ring: who else may tap or join (0600: nobody)", "mode",
     "Linux: 0600, 0640, 0644, 0660 or 0664"},
    {"owner-group", 0, CLI_TEXT, AT(owner_group), 0, false, "GROUP",
     "of a new ring: the group that --mode means", "owner_group",
     "Linux: the name or number of a group"},
    {"sddl", 0, CLI_TEXT, AT(sddl), 0, false, "SDDL",
     "of a new ring, on Windows: who else may tap (GR) or join (GA)", "sddl",
     "Windows: such as D:(A;;GR;;;AU)"},
    {"scope", 0, CLI_TEXT, AT(scope), 0, false, "SCOPE",
     "local or global: for this session or for all (Windows)", "scope", NULL},
    {"size", 0, CLI_SIZE, AT(block), 0, false, "SIZE",
     "messages are raw blocks of this size instead of lines", NULL, NULL},
    {"subscribers", 0, CLI_COUNT, AT(subscriber_count), GYRE_SEATS_MAX, true, "COUNT",
     "wait until so many reliable consumers have joined", NULL, "at most 255"},
    {"standby", 0, CLI_FLAG, AT(is_standby), 0, false, NULL,
     "while another producer holds the ring, wait until it ends", NULL, NULL},
    {"stall-timeout", 0, CLI_DURATION, AT(stall_timeout_ns), 0, false, "TIME",
     "evict who holds pub back for so long without reading on", "stall_timeout_ns", "at least 1ms"},
    {"timeout", 0, CLI_DURATION, AT(timeout_ns), 0, true, "TIME",
     "wait no longer than that for --subscribers", NULL, NULL},
    {"on-error", 0, CLI_TEXT, AT(on_error), 0, false, "stop|skip",
     "what to do at a line over the limit (stop)", NULL, NULL},
    {.name = NULL}};

/* Everything one run of the verb works with. */
struct pub {
    struct cli_args       args;
    struct pub_options    options;
    struct gyre_producer *producer;
    struct cli_input      input;
    bool                  is_skipping;
};

static int check(struct pub *pub)
{
    const struct pub_options *options = &pub->options;

    pub->is_skipping = strcmp(options->on_error, "skip") == 0;
    if (!pub->is_skipping && strcmp(options->on_error, "stop") != 0)
        return cli_usage("pub", "--on-error", options->on_error, "neither stop nor skip");
    if (options->timeout_ns != GYRE_FOREVER && options->subscriber_count == 0)
        return cli_usage("pub", "--timeout", NULL,
                         "without --subscribers there is no wait to bound");
    return CLI_GO_ON;
}

#define OPEN_SLICE_NS UINT64_C(100000000) /* a standby's wait cannot be interrupted */

/* A standby keeps its place in no queue: it may as well come back after each slice. */
static enum gyre_status open_in_turn(struct pub *pub, struct gyre_ring_options *ring,
                                     struct gyre_error *error)
{
    enum gyre_status status;

    do {
        if (pub->options.is_standby)
            ring->open_deadline_ns = cli_deadline_in(OPEN_SLICE_NS);
        status = gyre_producer_open(pub->args.name, ring, &pub->producer, error);
    } while (status == GYRE_TIMEOUT && !cli_is_interrupted());
    return status;
}

static int open_ring(struct pub *pub)
{
    struct gyre_ring_options ring = GYRE_RING_OPTIONS_INIT;
    struct gyre_error        error;
    enum gyre_status         status;
    int                      code = cli_read_scope("pub", pub->options.scope, &ring.scope);

    if (code != CLI_GO_ON)
        return code;
    ring.mode = (uint32_t)pub->options.mode;
    ring.owner_group = pub->options.owner_group;
    ring.sddl = pub->options.sddl;
    ring.capacity = pub->options.capacity;
    ring.frame_align = (uint32_t)pub->options.frame_align;
    ring.seat_count = (uint32_t)pub->options.seat_count;
    ring.flags = (pub->options.is_kept ? (uint32_t)GYRE_KEEP : 0) |
                 (pub->options.is_strict ? (uint32_t)GYRE_STRICT_WAKE : 0);
    ring.stall_timeout_ns = pub->options.stall_timeout_ns;
    cli_interrupt_arm();
    status = open_in_turn(pub, &ring, &error);
    if (status == GYRE_TIMEOUT)
        return CLI_INTERRUPTED;
    if (status == GYRE_BUSY)
        return cli_complain(&pub->args, status,
                            "another process publishes to this ring; --standby waits for its end");
    if (status != GYRE_OK)
        return cli_fail(&pub->args, &error);
    cli_interrupt_producer(pub->producer);
    return cli_is_interrupted() ? CLI_INTERRUPTED : CLI_GO_ON;
}

static int open_input(struct pub *pub)
{
    uint32_t limit = gyre_producer_max_size(pub->producer);
    uint64_t block = pub->options.block;

    if (block > limit) {
        fprintf(stderr,
                "gyre: pub: %s: --size %" PRIu64 ": the ring carries at most %" PRIu32 " bytes\n",
                pub->args.name, block, limit);
        return CLI_USAGE;
    }
    if (!cli_input_open(&pub->input, limit, block))
        return cli_complain(&pub->args, GYRE_NO_MEMORY, NULL);
    return CLI_GO_ON;
}

/* Refuses to wait for more consumers than can ever join. */
static int check_seats(struct pub *pub)
{
    struct gyre_ring_info info = {.size = sizeof(info)};
    uint32_t              taken = 0;

    if (gyre_ring_inspect(pub->args.name, &info, NULL, 0, &taken, NULL) != GYRE_OK ||
        pub->options.subscriber_count <= info.seat_count)
        return CLI_GO_ON;
    fprintf(stderr,
            "gyre: pub: %s: --subscribers %" PRIu64 ": the ring has %" PRIu32 " seats (--seats)\n",
            pub->args.name, pub->options.subscriber_count, info.seat_count);
    return CLI_USAGE;
}

static int wait_subscribers(struct pub *pub)
{
    uint32_t         count = (uint32_t)pub->options.subscriber_count;
    int              code;
    enum gyre_status status;

    if (count == 0)
        return CLI_GO_ON;
    code = check_seats(pub);
    if (code != CLI_GO_ON)
        return code;
    status = gyre_producer_wait_consumers(pub->producer, count,
                                          cli_deadline_in(pub->options.timeout_ns));
    if (status == GYRE_OK)
        return CLI_GO_ON;
    if (status == GYRE_INTERRUPTED)
        return CLI_INTERRUPTED;
    if (status == GYRE_TIMEOUT)
        return cli_complain(&pub->args, status,
                            "fewer consumers than --subscribers says have joined");
    return cli_complain(&pub->args, status, NULL);
}

/* Copies a message into the ring; it appears with the next publish. */
static int put(struct pub *pub, const struct cli_message *message)
{
    uint32_t size = (uint32_t)message->size;
    void    *place = gyre_claim(pub->producer, size);

    while (place == NULL) {
        enum gyre_status status;
        gyre_publish(pub->producer);
        status = gyre_wait_room(pub->producer, size, GYRE_FOREVER);
        if (status == GYRE_INTERRUPTED)
            return CLI_INTERRUPTED;
        if (status != GYRE_OK)
            return cli_complain(&pub->args, status, NULL);
        place = gyre_claim(pub->producer, size);
    }
    memcpy(place, message->bytes, size);
    return CLI_GO_ON;
}

static int refuse(struct pub *pub, const struct cli_message *message)
{
    gyre_publish(pub->producer);
    fprintf(stderr,
            "gyre: pub: %s: line %" PRIu64 " has %" PRIu64
            " bytes, the ring carries at most %" PRIu64 "%s\n",
            pub->args.name, pub->input.count, message->size, pub->input.limit,
            pub->is_skipping ? "; skipped" : "");
    return pub->is_skipping ? CLI_GO_ON : CLI_ERROR;
}

/* Publishes what the last read brought, then reads again. */
static int next_fill(struct pub *pub)
{
    gyre_publish(pub->producer);
    switch (cli_input_fill(&pub->input)) {
    case CLI_FILL_OK:
        return CLI_GO_ON;
    case CLI_FILL_END:
        return CLI_DONE;
    case CLI_FILL_INTERRUPTED:
        return CLI_INTERRUPTED;
    case CLI_FILL_NO_MEMORY:
        return cli_complain(&pub->args, GYRE_NO_MEMORY, "no memory for a line this long");
    default:
        return cli_complain(&pub->args, GYRE_SYSTEM, "stdin cannot be read");
    }
}

static int feed(struct pub *pub)
{
    struct cli_message message;
    int                code = CLI_GO_ON;

    while (code == CLI_GO_ON) {
        switch (cli_input_next(&pub->input, &message)) {
        case CLI_PIECE_MESSAGE:
            code = put(pub, &message);
            break;
        case CLI_PIECE_TOO_LARGE:
            code = refuse(pub, &message);
            break;
        default:
            code = next_fill(pub);
        }
    }
    gyre_publish(pub->producer);
    return code;
}

static int run(const struct cli_verb *verb, int argc, char **argv)
{
    struct pub pub = {.options = {.timeout_ns = GYRE_FOREVER, .on_error = "stop"}};
    int        code = cli_parse(verb, argc, argv, &pub.args, &pub.options);

    if (code == CLI_GO_ON)
        code = check(&pub);
    if (code == CLI_GO_ON)
        code = open_ring(&pub);
    if (code == CLI_GO_ON)
        code = open_input(&pub);
    if (code == CLI_GO_ON)
        code = wait_subscribers(&pub);
    if (code == CLI_GO_ON)
        code = feed(&pub);
    cli_interrupt_producer(NULL);
    gyre_producer_close(pub.producer);
    cli_input_close(&pub.input);
    return code;
}

const struct cli_verb cli_verb_pub = {
    "pub",
    "NAME",
    "publish each line of stdin as a message; creates the ring if need be",
    "A message is a line without its newline; the last line needs none.  With --size, stdin is "
    "cut\n"
    "into blocks and the last one may be shorter.  Consumers that have joined receive everything\n"
    "even after pub has ended; without --keep or a consumer, the ring goes with pub.\n"
    "A standby goes on behind the last message of a producer that ended or died.\n"
    "\n"
    "A message has at most half the capacity less 8 bytes.  At a longer line pub says which line "
    "it\n"
    "is and, with --on-error stop, ends with code 1 once all before it is published.\n",
    pub_options,
    run};
