/*
 * stat.c - gyre stat: what a ring is and who sits at it, for people or as one JSON object.
 */
#include "cli.h"

#include <inttypes.h>
#include <time.h>

struct stat_options {
    bool is_json;
};

static const struct cli_option stat_options[] = {{"json", 0, CLI_FLAG,
                                                  offsetof(struct stat_options, is_json), 0, false,
                                                  NULL, "write one JSON object", NULL, NULL},
                                                 {.name = NULL}};

/* One look at a ring. */
struct view {
    const char           *name;
    struct gyre_ring_info ring;
    struct gyre_seat_info seats[GYRE_SEATS_MAX];
    uint32_t              taken;

    struct gyre_group_info groups[GYRE_GROUPS_MAX];
    uint32_t               group_count;
};

static const char *ring_state(const struct gyre_ring_info *ring)
{
    switch (ring->state) {
    case GYRE_RING_IDLE:
        return "idle";
    case GYRE_RING_ACTIVE:
        return ring->producer_alive ? "active" : "orphaned";
    case GYRE_RING_CLOSED:
        return "closed";
    default:
        return "unknown";
    }
}

static const char *kind_name(uint32_t kind)
{
    switch (kind) {
    case GYRE_RELIABLE:
        return "reliable";
    case GYRE_LOSSY:
        return "lossy";
    default:
        return "unknown";
    }
}

static const char *seat_state(const struct gyre_seat_info *seat)
{
    if (seat->is_evicted)
        return "evicted";
    if (seat->is_orphaned)
        return "orphan";
    if (!seat->is_alive)
        return "dead";
    return seat->is_asleep ? "asleep" : "awake";
}

/* In the first lap the library's horizon lies before the beginning of all positions. */
static uint64_t horizon_of(const struct gyre_ring_info *ring)
{
    return ring->horizon_pos > ring->next_pos ? 0 : ring->horizon_pos;
}

static void print_row(const char *label, const char *text, const char *unit)
{
    cli_print("%-13s%s%s\n", label, text, unit);
}

static void print_number(const char *label, uint64_t number, const char *unit)
{
    char text[CLI_GROUPED_SIZE];

    print_row(label, cli_grouped(number, text), unit);
}

static void print_position(const char *label, uint64_t seq, uint64_t pos)
{
    char seq_text[CLI_GROUPED_SIZE];
    char pos_text[CLI_GROUPED_SIZE];

    cli_print("%-13s%24s  %24s\n", label, cli_grouped(seq, seq_text), cli_grouped(pos, pos_text));
}

static void print_identity(const struct gyre_ring_info *ring)
{
    time_t     created = (time_t)(ring->created_ns / 1000000000u);
    struct tm *utc = gmtime(&created);
    char       text[32] = "unknown";

    if (utc != NULL)
        (void)strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", utc);
    print_row("created", text, " UTC");
    cli_print("%-13s%016" PRIx64 "%016" PRIx64 "\n", "id", ring->ring_id[0], ring->ring_id[1]);
}

static void print_ring(const struct view *view)
{
    const struct gyre_ring_info *ring = &view->ring;
    char                         text[CLI_GROUPED_SIZE];

    print_row("ring", view->name, "");
    print_identity(ring);
    print_number("capacity", ring->capacity, " bytes");
    print_number("align", ring->frame_align, " bytes");
    print_row("strict wake", ring->flags & GYRE_STRICT_WAKE ? "yes" : "no", "");
    print_row("keep", ring->flags & GYRE_KEEP ? "yes" : "no", "");
    print_row("state", ring_state(ring), "");
    print_number("epoch", ring->epoch, "");
    print_number("evicted", ring->evicted_count,
                 " seats taken from consumers that stalled or broke the rules");
    if (ring->producer_alive)
        cli_print("%-13sprocess %" PRIu32 "\n", "producer", ring->producer_pid);
    else
        print_row("producer", "none", "");
    cli_print("\n%-13s%24s  %24s\n", "", "message", "byte");
    print_position("oldest", ring->oldest_seq, ring->oldest_pos);
    print_position("next", ring->next_seq, ring->next_pos);
    cli_print("%-13s%24s  %24s\n", "horizon", "", cli_grouped(horizon_of(ring), text));
}

static void print_seats(const struct view *view)
{
    char lag[CLI_GROUPED_SIZE];
    char lost[CLI_GROUPED_SIZE];
    char sleeps[CLI_GROUPED_SIZE];
    char missed[CLI_GROUPED_SIZE];

    cli_print("\n%" PRIu32 " of %" PRIu32 " seats taken\n", view->taken, view->ring.seat_count);
    if (view->taken > 0)
        cli_print("%4s  %-8s  %-7s  %10s  %17s  %14s  %14s  %9s%s\n", "seat", "kind", "state",
                  "process", "lag in bytes", "lost", "sleeps", "late",
                  view->group_count > 0 ? "  member of" : "");
    for (uint32_t i = 0; i < view->taken; i++) {
        const struct gyre_seat_info *seat = &view->seats[i];
        cli_print("%4" PRIu32 "  %-8s  %-7s  %10" PRIu32 "  %17s  %14s  %14s  %9s%s%s\n",
                  seat->seat_idx, kind_name(seat->kind), seat_state(seat), seat->pid,
                  cli_grouped(seat->lag_bytes, lag), cli_grouped(seat->lost_count, lost),
                  cli_grouped(seat->sleep_count, sleeps), cli_grouped(seat->missed_count, missed),
                  seat->group[0] != '\0' ? "  " : "", seat->group);
    }
}

static void print_groups(const struct view *view)
{
    char lag[CLI_GROUPED_SIZE];
    char lost[CLI_GROUPED_SIZE];
    char redelivered[CLI_GROUPED_SIZE];

    if (view->group_count == 0)
        return;
    cli_print("\n%" PRIu32 " of %d groups\n", view->group_count, GYRE_GROUPS_MAX);
    cli_print("%-8s  %4s  %7s  %7s  %18s  %14s  %14s  %s\n", "kind", "keep", "members", "orphans",
              "unclaimed in bytes", "lost", "redelivered", "group");
    for (uint32_t i = 0; i < view->group_count; i++) {
        const struct gyre_group_info *group = &view->groups[i];
        cli_print("%-8s  %4s  %7" PRIu32 "  %7" PRIu32 "  %18s  %14s  %14s  %s\n",
                  kind_name(group->kind), group->flags & GYRE_GROUP_KEEP ? "yes" : "no",
                  group->member_count, group->orphan_count, cli_grouped(group->lag_bytes, lag),
                  cli_grouped(group->lost_count, lost),
                  cli_grouped(group->redelivered_count, redelivered), group->name);
    }
}

static const char *truth(uint32_t flag)
{
    return flag != 0 ? "true" : "false";
}

static void print_json_seat(const struct gyre_seat_info *seat)
{
    cli_print("{\"seat_idx\":%" PRIu32 ",\"kind\":\"%s\",\"state\":\"%s\",\"pid\":%" PRIu32
              ",\"lag_bytes\":%" PRIu64 ",\"lost_count\":%" PRIu64 ",\"sleep_count\":%" PRIu64
              ",\"missed_count\":%" PRIu64 ",\"group\":",
              seat->seat_idx, kind_name(seat->kind), seat_state(seat), seat->pid, seat->lag_bytes,
              seat->lost_count, seat->sleep_count, seat->missed_count);
    if (seat->group[0] != '\0')
        cli_print("\"%s\"}", seat->group);
    else
        cli_print("null}");
}

static void print_json_group(const struct gyre_group_info *group)
{
    cli_print("{\"name\":\"%s\",\"kind\":\"%s\",\"keep\":%s,\"member_count\":%" PRIu32
              ",\"orphan_count\":%" PRIu32 ",\"next_seq\":%" PRIu64 ",\"lag_bytes\":%" PRIu64
              ",\"lost_count\":%" PRIu64 ",\"redelivered_count\":%" PRIu64 "}",
              group->name, kind_name(group->kind), truth(group->flags & GYRE_GROUP_KEEP),
              group->member_count, group->orphan_count, group->next_seq, group->lag_bytes,
              group->lost_count, group->redelivered_count);
}

/* A name has no character that JSON would want escaped. */
static void print_json(const struct view *view)
{
    const struct gyre_ring_info *ring = &view->ring;

    cli_print("{\"name\":\"%s\",\"ring_id\":\"%016" PRIx64 "%016" PRIx64
              "\",\"created_ns\":%" PRIu64,
              view->name, ring->ring_id[0], ring->ring_id[1], ring->created_ns);
    cli_print(",\"capacity\":%" PRIu64 ",\"frame_align\":%" PRIu32
              ",\"strict_wake\":%s,\"keep\":%s",
              ring->capacity, ring->frame_align, truth(ring->flags & GYRE_STRICT_WAKE),
              truth(ring->flags & GYRE_KEEP));
    cli_print(",\"state\":\"%s\",\"epoch\":%" PRIu32
              ",\"producer_alive\":%s,\"producer_pid\":%" PRIu32,
              ring_state(ring), ring->epoch, truth(ring->producer_alive), ring->producer_pid);
    cli_print(",\"oldest_seq\":%" PRIu64 ",\"oldest_pos\":%" PRIu64 ",\"next_seq\":%" PRIu64
              ",\"next_pos\":%" PRIu64 ",\"horizon_pos\":%" PRIu64,
              ring->oldest_seq, ring->oldest_pos, ring->next_seq, ring->next_pos, horizon_of(ring));
    cli_print(",\"evicted_count\":%" PRIu64 ",\"seat_count\":%" PRIu32 ",\"seats\":[",
              ring->evicted_count, ring->seat_count);
    for (uint32_t i = 0; i < view->taken; i++) {
        if (i > 0)
            cli_print(",");
        print_json_seat(&view->seats[i]);
    }
    cli_print("],\"groups\":[");
    for (uint32_t i = 0; i < view->group_count; i++) {
        if (i > 0)
            cli_print(",");
        print_json_group(&view->groups[i]);
    }
    cli_print("]}\n");
}

static int run(const struct cli_verb *verb, int argc, char **argv)
{
    struct stat_options options = {false};
    struct cli_args     args;
    struct view         view = {.ring = {.size = sizeof(view.ring)}};
    struct gyre_error   error;
    int                 code = cli_parse(verb, argc, argv, &args, &options);

    if (code != CLI_GO_ON)
        return code;
    view.name = args.name;
    if (gyre_ring_inspect(args.name, &view.ring, view.seats, GYRE_SEATS_MAX, &view.taken, &error) !=
            GYRE_OK ||
        gyre_ring_inspect_groups(args.name, view.groups, GYRE_GROUPS_MAX, &view.group_count,
                                 &error) != GYRE_OK)
        return cli_fail(&args, &error);
    if (options.is_json) {
        print_json(&view);
    } else {
        print_ring(&view);
        print_seats(&view);
        print_groups(&view);
    }
    return CLI_DONE;
}

const struct cli_verb cli_verb_stat = {
    "stat",
    "NAME",
    "print what a ring is, where it stands and who sits at it",
    "Positions count bytes since the ring was created, messages are numbered from 0.  The lag of "
    "a\n"
    "seat is what was published and not yet released by it; late counts its sleeps that a time "
    "slice\n"
    "ended although data was there.  A member of a group lags by what it has claimed and not yet\n"
    "released; a claim that its member has left is an orphan until another one takes it.  Looking\n"
    "does not join: stat never slows the ring.\n",
    stat_options,
    run};
