/*
 * sub.c - gyre sub: what comes out of the ring goes to stdout.  tail does the same as a tap.
 *
 * A message is copied from the ring to the output buffer and released before anything is written: a
 * slow pipe holds back later messages, never this one, and a copy that was overwritten while it was
 * made is dropped.  The buffer is written when it is full and before every sleep.
 *
 * A member of a work-sharing group does it the other way round: what it has claimed is written
 * first and released then, so that another member gets whatever did not come out.  Only in a lossy
 * group must it release first, to learn whether its copy is good.
 */
#include "cli.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "sync.h"

#define OPEN_SLICE_NS UINT64_C(100000000) /* a wait for the ring to appear cannot be interrupted */
#define CLOSED_SLICE_NS                                                                            \
    UINT64_C(20000000) /* and nothing tells when a closed ring is opened again */

#define AT(member) offsetof(struct cli_receive_options, member)

const struct cli_option cli_receive_options[] = {
    {"group", 0, CLI_TEXT, AT(group), 0, false, "GROUP",
     "share the messages with the other members of this group", "group",
     "1 to 31 of the characters A-Z a-z 0-9 . _ - and none of . - first"},
    {"keep-group", 0, CLI_FLAG, AT(is_group_kept), 0, false, NULL,
     "the group stays when its last member has left", "group_flags", NULL},
    {"claim", 0, CLI_COUNT, AT(claim_count), UINT32_MAX, false, "COUNT",
     "a member takes up to so many messages at once (1)", "claim_count", NULL},
    {"lossy", 0, CLI_FLAG, AT(is_lossy), 0, false, NULL,
     "never hold the producer back; report what was lost", NULL, NULL},
    {"from", 0, CLI_TEXT, AT(from), 0, false, "START",
     "oldest, newest or a message number (see above)", "start_seq", "not published yet"},
    {"count", 'n', CLI_COUNT, AT(message_limit), 0, true, "COUNT", "end after so many messages",
     NULL, NULL},
    {"raw", 0, CLI_FLAG, AT(is_raw), 0, false, NULL, "write no newline behind a message", NULL,
     NULL},
    {"follow", 0, CLI_FLAG, AT(is_following), 0, false, NULL,
     "go on with the next producer when one closes or dies", NULL, NULL},
    {"timeout", 0, CLI_DURATION, AT(timeout_ns), 0, true, "TIME",
     "wait no longer than that for the ring to appear", NULL, NULL},
    {"owner", 0, CLI_TEXT, AT(owner), 0, false, "USER",
     "whose ring it is, if not yours; you trust this user", "owner",
     "Linux: the name or number of a user; Windows: a SID"},
    {"scope", 0, CLI_TEXT, AT(scope), 0, false, "SCOPE",
     "local or global: of this session or of all (Windows)", "scope", NULL},
    {.name = NULL}};

/* Everything one run of the verb works with. */
struct receiver {
    const struct cli_args            *args;
    const struct cli_receive_options *options;
    struct gyre_consumer             *consumer;
    struct cli_output                 output;
    uint64_t                          message_count;
    uint64_t                          lost_count; /* already reported */
    bool                              is_holding; /* a member: its claim is not all written out */
};

static int sent_code(struct receiver *receiver, enum cli_sent sent)
{
    switch (sent) {
    case CLI_SENT_OK:
        return CLI_GO_ON;
    case CLI_SENT_CLOSED:
        return CLI_DONE;
    case CLI_SENT_INTERRUPTED:
        return CLI_INTERRUPTED;
    case CLI_SENT_NO_MEMORY:
        return cli_complain(receiver->args, GYRE_NO_MEMORY, "no memory for a message this long");
    default:
        return CLI_ERROR;
    }
}

/* Writes all there is; what a member holds is then done with, or another one's to write. */
static int pass_on(struct receiver *receiver)
{
    int code = sent_code(receiver, cli_output_flush(&receiver->output));

    if (receiver->is_holding && code == CLI_GO_ON)
        (void)gyre_release(receiver->consumer);
    receiver->is_holding = false;
    return code;
}

/* Tells about messages lost since it was last called. */
static int report_gap(struct receiver *receiver)
{
    uint64_t lost = gyre_consumer_lost(receiver->consumer) - receiver->lost_count;
    int      code = pass_on(receiver);

    receiver->lost_count += lost;
    if (lost > 0)
        fprintf(stderr, "gyre: gap: %" PRIu64 " messages lost before message %" PRIu64 "\n", lost,
                gyre_consumer_seq(receiver->consumer));
    return code;
}

static void report_redelivered(const struct receiver *receiver)
{
    if (gyre_consumer_is_redelivered(receiver->consumer))
        fprintf(stderr, "gyre: redelivered: message %" PRIu64 "\n",
                gyre_consumer_seq(receiver->consumer) - 1);
}

static int take(struct receiver *receiver, const void *message, uint32_t size)
{
    const struct cli_receive_options *options = receiver->options;
    struct cli_output                *output = &receiver->output;
    int code = sent_code(receiver, cli_output_reserve(output, (size_t)size + 1));

    if (code != CLI_GO_ON) {
        receiver->is_holding = false; /* nor is it released */
        return code;
    }
    memcpy(output->bytes + output->used, message, size);
    receiver->is_holding = options->group != NULL && !options->is_lossy;
    if (!receiver->is_holding && gyre_release(receiver->consumer) != GYRE_OK)
        return report_gap(receiver);
    report_redelivered(receiver);
    output->used += size;
    if (!options->is_raw)
        output->bytes[output->used++] = '\n';
    receiver->message_count++;
    /* A member of a lossy group takes no more before the others than it has written. */
    return options->group != NULL && options->is_lossy ? pass_on(receiver) : CLI_GO_ON;
}

static int at_closed(struct receiver *receiver)
{
    if (!receiver->options->is_following)
        return CLI_DONE;
    sync_clock_sleep_until(sync_clock_now_ns() + CLOSED_SLICE_NS);
    return CLI_GO_ON;
}

static int at_orphaned(struct receiver *receiver)
{
    (void)cli_complain(receiver->args, GYRE_ORPHANED, NULL);
    return receiver->options->is_following ? CLI_GO_ON : CLI_ERROR;
}

static int at_corrupt(struct receiver *receiver)
{
    char sentence[160];

    (void)snprintf(sentence, sizeof(sentence), "%s, at byte %" PRIu64 " before message %" PRIu64,
                   gyre_status_sentence(GYRE_CORRUPT), gyre_consumer_pos(receiver->consumer),
                   gyre_consumer_seq(receiver->consumer));
    return cli_complain(receiver->args, GYRE_CORRUPT, sentence);
}

/* There is nothing to peek: learns why, without sleep if that can be. */
static int wait_more(struct receiver *receiver)
{
    enum gyre_status status;
    int              code;

    if (receiver->is_holding)
        return pass_on(receiver); /* before it may claim more */
    status = gyre_wait(receiver->consumer, 0);
    if (status == GYRE_OK)
        return CLI_GO_ON;
    if (status == GYRE_GAP)
        return report_gap(receiver);
    code = pass_on(receiver);
    if (code != CLI_GO_ON)
        return code;
    if (status == GYRE_TIMEOUT)
        status = gyre_wait(receiver->consumer, GYRE_FOREVER);
    switch (status) {
    case GYRE_OK:
    case GYRE_TIMEOUT:
        return CLI_GO_ON;
    case GYRE_GAP:
        return report_gap(receiver);
    case GYRE_CLOSED:
        return at_closed(receiver);
    case GYRE_ORPHANED:
        return at_orphaned(receiver);
    case GYRE_INTERRUPTED:
        return CLI_INTERRUPTED;
    case GYRE_CORRUPT:
        return at_corrupt(receiver);
    default:
        return cli_complain(receiver->args, status, NULL);
    }
}

static int receive_all(struct receiver *receiver)
{
    uint64_t    limit = receiver->options->message_limit;
    const void *message = NULL;
    uint32_t    size = 0;
    int         code = CLI_GO_ON;
    int         last;

    if (limit > 0)
        code = wait_more(receiver); /* which alone tells about a gap at the start */
    while (code == CLI_GO_ON && receiver->message_count < limit) {
        if (cli_is_interrupted())
            code = CLI_INTERRUPTED;
        else if ((message = gyre_peek(receiver->consumer, &size)) != NULL)
            code = take(receiver, message, size);
        else
            code = wait_more(receiver);
    }
    last = pass_on(receiver);
    if (code != CLI_GO_ON)
        return code;
    return last != CLI_GO_ON ? last : CLI_DONE;
}

/* Reads --from.  Without it: whatever is published from now on, if the ring is there or not. */
static int choose_start(const struct cli_args *args, const char *from,
                        struct gyre_consumer_options *consumer)
{
    consumer->start = GYRE_START_NEWEST;
    if (from == NULL || strcmp(from, "newest") == 0)
        return CLI_GO_ON;
    consumer->start = GYRE_START_OLDEST;
    if (strcmp(from, "oldest") == 0)
        return CLI_GO_ON;
    consumer->start = GYRE_START_SEQ;
    if (cli_read_count(from, &consumer->start_seq))
        return CLI_GO_ON;
    return cli_usage(args->verb->name, "--from", from,
                     "neither oldest nor newest nor a message number");
}

/* Errors about the group, whose sentences speak of the ring. */
static int fail_open(const struct receiver *receiver, const struct gyre_error *error)
{
    const struct cli_receive_options *options = receiver->options;
    const char                       *field = error->field != NULL ? error->field : "";
    const char                       *why = NULL;

    if (options->group != NULL && error->status == GYRE_EXISTS && strcmp(field, "kind") == 0)
        why = options->is_lossy ? "the group exists without --lossy (field kind)"
                                : "the group exists with --lossy (field kind)";
    if (options->group != NULL && error->status == GYRE_EXISTS && strcmp(field, "group_flags") == 0)
        why = options->is_group_kept ? "the group exists without --keep-group (field group_flags)"
                                     : "the group exists with --keep-group (field group_flags)";
    if (error->status == GYRE_NO_SEAT && strcmp(field, "group") == 0)
        why = "the ring has no place for another group (field group)";
    if (why == NULL)
        return cli_fail(receiver->args, error);
    fprintf(stderr, "gyre: %s: %s: --group %s: %s\n", receiver->args->verb->name,
            receiver->args->name, options->group, why);
    return cli_exit_of(error->status);
}

static void choose_group(const struct cli_receive_options *options,
                         struct gyre_consumer_options     *consumer)
{
    uint64_t claim_count = options->claim_count;

    if (options->message_limit != 0 && claim_count > options->message_limit)
        claim_count = options->message_limit; /* the rest would be redelivered */
    consumer->group = options->group;
    consumer->group_flags = options->is_group_kept ? (uint32_t)GYRE_GROUP_KEEP : 0;
    consumer->claim_count = (uint32_t)claim_count;
}

static int open_ring(struct receiver *receiver, enum gyre_consumer_kind kind)
{
    struct gyre_consumer_options consumer = GYRE_CONSUMER_OPTIONS_INIT;
    uint64_t                     deadline_ns = cli_deadline_in(receiver->options->timeout_ns);
    struct gyre_error            error;
    int              code = choose_start(receiver->args, receiver->options->from, &consumer);
    enum gyre_status status;

    if (code != CLI_GO_ON)
        return code;
    code = cli_read_scope(receiver->args->verb->name, receiver->options->scope, &consumer.scope);
    if (code != CLI_GO_ON)
        return code;
    consumer.owner = receiver->options->owner;
    consumer.kind = (uint32_t)kind;
    choose_group(receiver->options, &consumer);
    cli_interrupt_arm();
    for (;;) {
        uint64_t slice_ns = cli_deadline_in(OPEN_SLICE_NS);
        status = gyre_consumer_open(receiver->args->name, &consumer, &receiver->consumer, &error);
        if (status == GYRE_OK)
            break;
        if (status != GYRE_NOT_FOUND && status != GYRE_TIMEOUT)
            return fail_open(receiver, &error);
        if (cli_is_interrupted())
            return CLI_INTERRUPTED;
        if (gyre_now_ns() >= deadline_ns)
            return cli_complain(receiver->args, GYRE_TIMEOUT, "the ring did not appear in time");
        if (receiver->options->from == NULL)
            consumer.start = GYRE_START_OLDEST; /* it will be newer than this wait */
        consumer.open_deadline_ns = slice_ns < deadline_ns ? slice_ns : deadline_ns;
    }
    cli_interrupt_consumer(receiver->consumer);
    return cli_is_interrupted() ? CLI_INTERRUPTED : CLI_GO_ON;
}

int cli_receive(const struct cli_args *args, const struct cli_receive_options *options,
                enum gyre_consumer_kind kind)
{
    struct receiver receiver = {.args = args, .options = options};
    int             code = open_ring(&receiver, kind);

    if (code == CLI_GO_ON)
        code = cli_output_open(&receiver.output) ? receive_all(&receiver)
                                                 : cli_complain(args, GYRE_NO_MEMORY, NULL);
    if (code == CLI_DONE && receiver.lost_count > 0)
        code = CLI_GAP;
    cli_interrupt_consumer(NULL);
    gyre_consumer_close(receiver.consumer);
    cli_output_close(&receiver.output);
    return code;
}

static int check(const struct cli_receive_options *options)
{
    if (options->group == NULL && options->is_group_kept)
        return cli_usage("sub", "--keep-group", NULL, "without --group there is none to keep");
    if (options->group == NULL && options->claim_count != 0)
        return cli_usage("sub", "--claim", NULL, "without --group there is nothing to share");
    return CLI_GO_ON;
}

static int run(const struct cli_verb *verb, int argc, char **argv)
{
    struct cli_receive_options options = CLI_RECEIVE_DEFAULTS;
    struct cli_args            args;
    int                        code = cli_parse(verb, argc, argv, &args, &options);

    if (code == CLI_GO_ON)
        code = check(&options);
    if (code != CLI_GO_ON)
        return code;
    return cli_receive(&args, &options, options.is_lossy ? GYRE_LOSSY : GYRE_RELIABLE);
}

const struct cli_verb cli_verb_sub = {
    "sub",
    "NAME",
    "write each message and a newline to stdout, until the producer closes",
    "Waits for the ring if it is not there yet.  The start is the oldest message still in the "
    "ring,\n"
    "the newest (what is published after sub has joined) or a message number; without --from it "
    "is\n"
    "newest, but oldest if the ring appeared while sub waited for it, so that sub misses nothing.\n"
    "\n"
    "A sub is reliable: the producer waits for it when the ring is full, and it loses nothing.  A\n"
    "lossy one, or one whose --from is gone already, writes \"gyre: gap: N messages lost before\n"
    "message SEQ\" to stderr, goes on, and ends with code 6.  If the producer dies, sub says so "
    "and\n"
    "ends with code 1 after everything that was published.\n"
    "\n"
    "Subs with the same --group share the messages: each is written by one of them and is done\n"
    "with once it is written out.  What a sub that ends or dies before has left goes to another,\n"
    "which writes \"gyre: redelivered: message SEQ\" to stderr, as it may have been written\n"
    "before.  The first sub of a group founds it and says where it starts.\n",
    cli_receive_options,
    run};
