/*
 * test_layout.c - options, names, defaults, and the judge of foreign maps.  No ring is opened but
 * to see that the same judgements reach the caller.
 */
#include <stdlib.h>
#include <string.h>

#include "handles.h"
#include "internal.h"

#define SEATS 4u
#define CAPACITY UINT64_C(4096)

/* --- names ------------------------------------------------------------------------------------ */

SCENARIO(layout, a_name_has_1_to_100_good_characters_and_begins_with_no_dot_or_dash)
{
    static const char *const good[] = {"a", "Z9", "_", "a.b-c_d", "0.", "x-"};
    static const char *const bad[] = {"",    ".",    ".a", "-a",       "a/b",
                                      "a b", "a\\b", "a!", "\xc3\xa4", "a\n"};
    char                     name[GYRE_NAME_SIZE + 1];

    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        SCENARIO_ASSERT(gyre__name_is_good(good[i]), "\"%s\" is refused", good[i]);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        SCENARIO_ASSERT(!gyre__name_is_good(bad[i]), "\"%s\" is accepted", bad[i]);
    CHECK(!gyre__name_is_good(NULL));
    memset(name, 'n', sizeof(name));
    name[100] = '\0';
    CHECK(gyre__name_is_good(name));
    name[100] = 'n';
    name[101] = '\0';
    CHECK(!gyre__name_is_good(name));
}

SCENARIO(layout, every_entry_point_refuses_a_bad_name)
{
    struct gyre_error     error;
    struct gyre_producer *producer = NULL;
    struct gyre_consumer *consumer = NULL;
    struct gyre_ring_info info;

    info.size = sizeof(info);
    CHECK_EQ(gyre_producer_open("a/b", NULL, &producer, &error), GYRE_BAD_ARGUMENT);
    CHECK_STR(error.field, "name");
    CHECK_EQ(error.status, GYRE_BAD_ARGUMENT);
    CHECK_EQ(gyre_consumer_open(NULL, NULL, &consumer, &error), GYRE_BAD_ARGUMENT);
    CHECK_STR(error.field, "name");
    CHECK_EQ(gyre_ring_inspect("", &info, NULL, 0, NULL, &error), GYRE_BAD_ARGUMENT);
    CHECK_STR(error.field, "name");
    CHECK_EQ(gyre_ring_remove("..", 0, &error), GYRE_BAD_ARGUMENT);
    CHECK_STR(error.field, "name");
    CHECK(producer == NULL && consumer == NULL);
}

SCENARIO(layout, missing_out_parameters_are_bad_arguments_and_a_missing_error_is_not)
{
    struct gyre_error     error;
    struct gyre_ring_info info;

    CHECK_EQ(gyre_producer_open("x", NULL, NULL, &error), GYRE_BAD_ARGUMENT);
    CHECK_STR(error.field, "producer");
    CHECK_EQ(gyre_consumer_open("x", NULL, NULL, &error), GYRE_BAD_ARGUMENT);
    CHECK_STR(error.field, "consumer");
    CHECK_EQ(gyre_ring_inspect("x", NULL, NULL, 0, NULL, &error), GYRE_BAD_ARGUMENT);
    CHECK_STR(error.field, "info");
    info.size = sizeof(info) - 1;
    CHECK_EQ(gyre_ring_inspect("x", &info, NULL, 0, NULL, &error), GYRE_BAD_ARGUMENT);
    CHECK_STR(error.field, "info");
    info.size = sizeof(info);
    CHECK_EQ(gyre_ring_inspect("x", &info, NULL, 1, NULL, &error), GYRE_BAD_ARGUMENT);
    CHECK_STR(error.field, "seats");
    CHECK_EQ(gyre_ring_list(NULL, NULL, &error), GYRE_BAD_ARGUMENT);
    CHECK_STR(error.field, "visit");
    CHECK_EQ(gyre_producer_open("a/b", NULL, NULL, NULL), GYRE_BAD_ARGUMENT);
    CHECK_EQ(gyre_consumer_open("a/b", NULL, NULL, NULL), GYRE_BAD_ARGUMENT);
    CHECK_EQ(gyre_ring_remove("a/b", 0, NULL), GYRE_BAD_ARGUMENT);
    gyre_producer_close(NULL);
    gyre_consumer_close(NULL);
}

/* --- options ---------------------------------------------------------------------------------- */

static void expect_ring_options(const struct gyre_ring_options *options, const char *field)
{
    struct gyre_ring_options checked;
    struct gyre_error        error = {GYRE_OK, 0, NULL, NULL};
    enum gyre_status         status = gyre__check_ring_options(options, &checked, &error);

    if (field == NULL) {
        SCENARIO_ASSERT(status == GYRE_OK, "refused for %s", error.field);
        return;
    }
    CHECK_EQ(status, GYRE_BAD_ARGUMENT);
    CHECK_STR(error.field, field);
}

/* Fields that were appended later are zero. */
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

/* Options up to where they were first published; and one of the later ones. */
#define RING(...)                                                                                  \
    {                                                                                              \
        __VA_ARGS__, 0, 0, NULL, NULL                                                              \
    }
#define MODE(mode)                                                                                 \
    {                                                                                              \
        sizeof(struct gyre_ring_options), 0, 0, 0, 0, 0, 0, 0, mode, 0, NULL, NULL                 \
    }
#define READER(...)                                                                                \
    {                                                                                              \
        __VA_ARGS__, NULL, 0, 0, NULL, 0, 0                                                        \
    }

SCENARIO(layout, ring_options_outside_their_range_are_named)
{
    static const struct {
        struct gyre_ring_options options;
        const char              *field; /* NULL: good */
    } cases[] = {
        {RING(sizeof(struct gyre_ring_options), 0, 0, 0, 0, 0, 0, 0), NULL},
        {RING(sizeof(struct gyre_ring_options), 8, 4096, 1, 3, 2, 1, 8192), NULL},
        {RING(sizeof(struct gyre_ring_options), 16, UINT64_C(1) << 40, 255, 1, 1, 1, 0), NULL},
        {RING(sizeof(struct gyre_ring_options), 32, 0, 0, 0, 0, 0, 4u << 20), NULL},
        {RING(sizeof(struct gyre_ring_options), 64, 4096, 0, 0, 0, 0, UINT64_C(0) - 4096), NULL},
        {RING(sizeof(struct gyre_ring_options), 0, 2048, 0, 0, 0, 0, 0), "capacity"},
        {RING(sizeof(struct gyre_ring_options), 0, 4097, 0, 0, 0, 0, 0), "capacity"},
        {RING(sizeof(struct gyre_ring_options), 0, 12288, 0, 0, 0, 0, 0), "capacity"},
        {RING(sizeof(struct gyre_ring_options), 0, UINT64_C(1) << 41, 0, 0, 0, 0, 0), "capacity"},
        {RING(sizeof(struct gyre_ring_options), 0, UINT64_C(1) << 63, 0, 0, 0, 0, 0), "capacity"},
        {RING(sizeof(struct gyre_ring_options), 4, 0, 0, 0, 0, 0, 0), "frame_align"},
        {RING(sizeof(struct gyre_ring_options), 24, 0, 0, 0, 0, 0, 0), "frame_align"},
        {RING(sizeof(struct gyre_ring_options), 128, 0, 0, 0, 0, 0, 0), "frame_align"},
        {RING(sizeof(struct gyre_ring_options), 0, 0, 256, 0, 0, 0, 0), "seat_count"},
        {RING(sizeof(struct gyre_ring_options), 0, 0, 0, 8, 0, 0, 0), "flags"},
        {RING(sizeof(struct gyre_ring_options), 0, 0, 0, GYRE_SEALED | GYRE_KEEP, 0, 0, 0),
         "flags"},
        {RING(sizeof(struct gyre_ring_options), 0, 0, 0, 0, 3, 0, 0), "wait"},
        {RING(sizeof(struct gyre_ring_options), 0, 4096, 0, 0, 0, 0, 64), "first_pos"},
        {RING(sizeof(struct gyre_ring_options), 0, 8192, 0, 0, 0, 0, 4096), "first_pos"},
        {RING(sizeof(struct gyre_ring_options), 0, 0, 0, 0, 0, 0, 1u << 20), "first_pos"},
        {MODE(0600), NULL},
        {MODE(0640), NULL},
        {MODE(0644), NULL},
        {MODE(0660), NULL},
        {MODE(0664), NULL},
        {MODE(0400), "mode"},
        {MODE(0604 | 02), "mode"},
        {MODE(0620), "mode"},
        {MODE(0700), "mode"},
        {MODE(01600), "mode"},
        {MODE(0044), "mode"},
        {{sizeof(struct gyre_ring_options), 0, 0, 0, 0, 0, 0, 0, 0, 2, NULL, NULL}, "scope"},
        {{.size = sizeof(struct gyre_ring_options), .stall_timeout_ns = 1000000}, NULL},
        {{.size = sizeof(struct gyre_ring_options), .stall_timeout_ns = 999999},
         "stall_timeout_ns"},
        {RING(0, 0, 0, 0, 0, 0, 0, 0), "size"},
        {RING(3, 0, 0, 0, 0, 0, 0, 0), "size"},
        {RING(4097, 0, 0, 0, 0, 0, 0, 0), "size"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        expect_ring_options(&cases[i].options, cases[i].field);
    expect_ring_options(NULL, NULL);
}

SCENARIO(layout, consumer_options_outside_their_range_are_named)
{
    enum { SIZE = sizeof(struct gyre_consumer_options) };
    static const struct {
        struct gyre_consumer_options options;
        const char                  *field;
    } cases[] = {
        {READER(sizeof(struct gyre_consumer_options), 0, 0, 0, 0, 0, 0, 0), NULL},
        {READER(sizeof(struct gyre_consumer_options), 2, 2, 1, UINT64_MAX, 2, UINT32_MAX,
                UINT64_MAX),
         NULL},
        {READER(sizeof(struct gyre_consumer_options), 3, 0, 0, 0, 0, 0, 0), "kind"},
        {READER(sizeof(struct gyre_consumer_options), 0, 3, 0, 0, 0, 0, 0), "start"},
        {READER(sizeof(struct gyre_consumer_options), 0, 0, 2, 0, 0, 0, 0), "on_gap"},
        {READER(sizeof(struct gyre_consumer_options), 0, 0, 0, 0, 3, 0, 0), "wait"},
        {{sizeof(struct gyre_consumer_options), 0, 0, 0, 0, 0, 0, 0, NULL, 2, 0, NULL, 0, 0},
         "scope"},
        {READER(2, 0, 0, 0, 0, 0, 0, 0), "size"},
#ifdef GYRE_HAS_PAIRS
        {{SIZE, 1, 0, 0, 0, 0, 0, 0, NULL, 0, GYRE_GROUP_KEEP, "g", UINT32_MAX, 0}, NULL},
        {{SIZE, 0, 0, 0, 0, 0, 0, 0, NULL, 0, 0, "a-name-of-thirty-one-characters", 0, 0}, NULL},
#endif
        {{SIZE, 0, 0, 0, 0, 0, 0, 0, NULL, 0, 0, "a-name-of-thirty-two-characters.", 0, 0},
         "group"},
        {{SIZE, 0, 0, 0, 0, 0, 0, 0, NULL, 0, 0, "", 0, 0}, "group"},
        {{SIZE, 0, 0, 0, 0, 0, 0, 0, NULL, 0, 0, "with/slash", 0, 0}, "group"},
        {{SIZE, 2, 0, 0, 0, 0, 0, 0, NULL, 0, 0, "g", 0, 0}, "kind"},
        {{SIZE, 0, 0, 0, 0, 0, 0, 0, NULL, 0, 2, "g", 0, 0}, "group_flags"},
        {{SIZE, 0, 0, 0, 0, 0, 0, 0, NULL, 0, 1, NULL, 0, 0}, "group_flags"},
        {{SIZE, 0, 0, 0, 0, 0, 0, 0, NULL, 0, 0, NULL, 1, 0}, "claim_count"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct gyre_consumer_options checked;
        struct gyre_error            error = {GYRE_OK, 0, NULL, NULL};
        enum gyre_status status = gyre__check_consumer_options(&cases[i].options, &checked, &error);
        if (cases[i].field == NULL) {
            CHECK_EQ(status, GYRE_OK);
        } else {
            CHECK_EQ(status, GYRE_BAD_ARGUMENT);
            CHECK_STR(error.field, cases[i].field);
        }
    }
}

SCENARIO(layout, an_older_and_shorter_options_struct_leaves_zeros)
{
    struct gyre_ring_options given = GYRE_RING_OPTIONS_INIT;
    struct gyre_ring_options checked;
    struct gyre_error        error;

    given.frame_align = 16;
    given.capacity = 3; /* behind the end of the shorter struct */
    given.size = 8;
    CHECK_EQ(gyre__check_ring_options(&given, &checked, &error), GYRE_OK);
    CHECK_EQ(checked.frame_align, 16);
    CHECK_EQ(checked.capacity, 0);
}

SCENARIO(layout, a_newer_and_longer_options_struct_may_ask_for_nothing_unknown)
{
    struct {
        struct gyre_ring_options known;
        unsigned char            tail[24];
    } given = {GYRE_RING_OPTIONS_INIT, {0}};
    struct gyre_ring_options checked;
    struct gyre_error        error = {GYRE_OK, 0, NULL, NULL};

    given.known.size = sizeof(given);
    given.known.seat_count = 7;
    CHECK_EQ(gyre__check_ring_options(&given.known, &checked, &error), GYRE_OK);
    CHECK_EQ(checked.seat_count, 7);
    given.tail[23] = 1;
    CHECK_EQ(gyre__check_ring_options(&given.known, &checked, &error), GYRE_BAD_ARGUMENT);
    CHECK_STR(error.field, "size");
}

SCENARIO(layout, defaults_are_4_MiB_64_bytes_and_63_seats)
{
    struct gyre_ring_options checked;
    struct gyre_geometry     geometry;
    struct gyre_error        error;

    CHECK_EQ(gyre__check_ring_options(NULL, &checked, &error), GYRE_OK);
    gyre__geometry_from(&checked, &geometry);
    CHECK_EQ(geometry.capacity, 4u << 20);
    CHECK_EQ(geometry.frame_align, 64);
    CHECK_EQ(geometry.seat_count, 63);
    CHECK_EQ(geometry.first_pos, 0);
    CHECK_EQ(checked.spin_ns, 0); /* it adapts */
    CHECK_EQ(checked.wait, GYRE_WAIT_SPIN_THEN_SLEEP);
}

SCENARIO(layout, the_largest_message_is_half_the_capacity_less_8_bytes_and_at_most_2_to_the_30)
{
    CHECK_EQ(gyre__max_size(4096), 2040);
    CHECK_EQ(gyre__max_size(UINT64_C(1) << 20), (1u << 19) - 8);
    CHECK_EQ(gyre__max_size(UINT64_C(1) << 31), (1u << 30) - 8);
    CHECK_EQ(gyre__max_size(UINT64_C(1) << 40), (1u << 30) - 8);
    CHECK_EQ(gyre__data_size(4096), 8192);
    CHECK_EQ(gyre__ctrl_size(255), 12288 + 255 * 128);
}

/* --- the judge of DATA and CTRL --------------------------------------------------------------- */

/* A good map on the heap, of the exact size, so that a sanitizer sees any read behind it. */
struct forgery {
    struct gyre_geometry       geometry;
    struct gyre_shared_header *data;
    struct gyre_shared_ctrl   *ctrl;
};

static struct forgery forge(void)
{
    struct forgery forged;

    memset(&forged, 0, sizeof(forged));
    forged.geometry.capacity = CAPACITY;
    forged.geometry.frame_align = 16;
    forged.geometry.seat_count = SEATS;
    forged.geometry.ring_id[0] = 11;
    forged.geometry.ring_id[1] = 22;
    forged.geometry.created_ns = 33;
    forged.geometry.first_pos = CAPACITY * 5;
    forged.geometry.options = GYRE_OPTION_STRICT_WAKE;
    forged.data = calloc(1, (size_t)gyre__data_size(CAPACITY));
    forged.ctrl = calloc(1, (size_t)gyre__ctrl_size(SEATS));
    CHECK(forged.data != NULL && forged.ctrl != NULL);
    gyre__write_data(forged.data, &forged.geometry);
    gyre__write_ctrl(forged.ctrl, &forged.geometry);
    gyre__write_magic(forged.data, GYRE_DATA_MAGIC);
    gyre__write_magic(forged.ctrl, GYRE_CTRL_MAGIC);
    return forged;
}

static void burn(struct forgery *forged)
{
    free(forged->data);
    free(forged->ctrl);
}

static void expect_data(const struct forgery *forged, uint64_t size, enum gyre_status status,
                        const char *field)
{
    struct gyre_geometry geometry;
    struct gyre_error    error = {GYRE_OK, 0, NULL, NULL};

    memset(&geometry, 0xee, sizeof(geometry));
    CHECK_EQ(gyre__judge_data(forged->data, size, &geometry, &error), status);
    CHECK_STR(error.field, field);
    CHECK_EQ(error.status, status);
    CHECK_EQ(geometry.capacity, UINT64_C(0xeeeeeeeeeeeeeeee)); /* a failure leaves it alone */
}

static void expect_ctrl(const struct forgery *forged, uint64_t size, const char *field)
{
    struct gyre_error error = {GYRE_OK, 0, NULL, NULL};

    CHECK_EQ(gyre__judge_ctrl(forged->ctrl, size, &forged->geometry, &error), GYRE_BAD_LAYOUT);
    CHECK_STR(error.field, field);
}

SCENARIO(layout, what_was_written_is_judged_good_and_read_back)
{
    struct forgery       forged = forge();
    struct gyre_geometry geometry;
    struct gyre_error    error;

    memset(&geometry, 0, sizeof(geometry));
    CHECK_EQ(gyre__judge_data(forged.data, gyre__data_size(CAPACITY), &geometry, &error), GYRE_OK);
    CHECK_EQ(geometry.capacity, CAPACITY);
    CHECK_EQ(geometry.frame_align, 16);
    CHECK_EQ(geometry.seat_count, SEATS);
    CHECK_EQ(geometry.ring_id[0], 11);
    CHECK_EQ(geometry.ring_id[1], 22);
    CHECK_EQ(geometry.created_ns, 33);
    CHECK_EQ(geometry.first_pos, CAPACITY * 5);
    CHECK_EQ(geometry.options, GYRE_OPTION_STRICT_WAKE);
    CHECK_EQ(gyre__judge_ctrl(forged.ctrl, gyre__ctrl_size(SEATS), &geometry, &error), GYRE_OK);
    burn(&forged);
}

/* Changes one field of good DATA, expects the judge to name it, and puts it back. */
#define EXPECT_BAD(member, value, status, name)                                                    \
    do {                                                                                           \
        struct gyre_shared_header good_ = *forged.data;                                            \
        forged.data->member = (value);                                                             \
        expect_data(&forged, size, status, name);                                                  \
        *forged.data = good_;                                                                      \
    } while (0)

SCENARIO(layout, each_bad_field_of_DATA_is_named)
{
    struct forgery forged = forge();
    uint64_t       size = gyre__data_size(CAPACITY);

    EXPECT_BAD(magic, 0, GYRE_NOT_FOUND, "magic");
    EXPECT_BAD(magic, GYRE_CTRL_MAGIC, GYRE_BAD_LAYOUT, "magic");
    EXPECT_BAD(layout_version, 0, GYRE_BAD_LAYOUT, "layout_version");
    EXPECT_BAD(layout_version, GYRE_LAYOUT_VERSION + 1, GYRE_BAD_LAYOUT, "layout_version");
    EXPECT_BAD(header_size, 255, GYRE_BAD_LAYOUT, "header_size");
    EXPECT_BAD(header_size, 512, GYRE_BAD_LAYOUT, "header_size");
    for (uint32_t bit = 0; bit < 64; bit++)
        EXPECT_BAD(required_features, UINT64_C(1) << bit, GYRE_BAD_LAYOUT, "required_features");
    EXPECT_BAD(capacity, 0, GYRE_BAD_LAYOUT, "capacity");
    EXPECT_BAD(capacity, 2048, GYRE_BAD_LAYOUT, "capacity");
    EXPECT_BAD(capacity, 6144, GYRE_BAD_LAYOUT, "capacity");
    EXPECT_BAD(capacity, 8192, GYRE_BAD_LAYOUT, "capacity"); /* more than there is */
    EXPECT_BAD(capacity, UINT64_C(1) << 40, GYRE_BAD_LAYOUT, "capacity");
    EXPECT_BAD(capacity, UINT64_C(1) << 63, GYRE_BAD_LAYOUT, "capacity");
    EXPECT_BAD(capacity, UINT64_MAX, GYRE_BAD_LAYOUT, "capacity");
    EXPECT_BAD(frame_align, 0, GYRE_BAD_LAYOUT, "frame_align");
    EXPECT_BAD(frame_align, 4, GYRE_BAD_LAYOUT, "frame_align");
    EXPECT_BAD(frame_align, 48, GYRE_BAD_LAYOUT, "frame_align");
    EXPECT_BAD(frame_align, 128, GYRE_BAD_LAYOUT, "frame_align");
    EXPECT_BAD(seat_count, 0, GYRE_BAD_LAYOUT, "seat_count");
    EXPECT_BAD(seat_count, 256, GYRE_BAD_LAYOUT, "seat_count");
    EXPECT_BAD(first_pos, 64, GYRE_BAD_LAYOUT, "first_pos");
    burn(&forged);
}

SCENARIO(layout, an_unknown_optional_feature_is_no_obstacle)
{
    struct forgery       forged = forge();
    struct gyre_geometry geometry;
    struct gyre_error    error;

    forged.data->optional_features = UINT64_MAX;
    CHECK_EQ(gyre__judge_data(forged.data, gyre__data_size(CAPACITY), &geometry, &error), GYRE_OK);
    burn(&forged);
}

SCENARIO(layout, truncated_DATA_is_judged_without_a_read_behind_its_end)
{
    struct forgery forged = forge();
    uint64_t       whole = gyre__data_size(CAPACITY);

    for (uint64_t size = 0; size < whole; size += size < 300 ? 1 : 97) {
        struct forgery cut = forged;
        cut.data = malloc(size != 0 ? (size_t)size : 1);
        CHECK(cut.data != NULL);
        memcpy(cut.data, forged.data, (size_t)size);
        expect_data(&cut, size, GYRE_BAD_LAYOUT, size < GYRE_RING_OFF ? "size" : "capacity");
        free(cut.data);
    }
    burn(&forged);
}

SCENARIO(layout, each_bad_field_of_CTRL_is_named)
{
    struct forgery          forged = forge();
    struct gyre_shared_ctrl good = *forged.ctrl;
    uint64_t                size = gyre__ctrl_size(SEATS);

    for (uint64_t cut = 0; cut < size; cut += 31)
        expect_ctrl(&forged, cut, "ctrl size");
    expect_ctrl(&forged, size - 1, "ctrl size");
    forged.ctrl->magic = 0;
    expect_ctrl(&forged, size, "ctrl magic");
    forged.ctrl->magic = GYRE_DATA_MAGIC;
    expect_ctrl(&forged, size, "ctrl magic");
    *forged.ctrl = good;
    forged.ctrl->layout_version++;
    expect_ctrl(&forged, size, "ctrl layout_version");
    *forged.ctrl = good;
    forged.ctrl->seat_count = SEATS - 1;
    expect_ctrl(&forged, size, "ctrl seat_count");
    *forged.ctrl = good;
    forged.ctrl->ring_id[0]++;
    expect_ctrl(&forged, size, "ctrl ring_id");
    *forged.ctrl = good;
    forged.ctrl->ring_id[1]++;
    expect_ctrl(&forged, size, "ctrl ring_id");
    burn(&forged);
}

/* --- words for people ------------------------------------------------------------------------- */

SCENARIO(layout, every_status_has_a_name_and_a_sentence)
{
    for (int32_t status = -13; status <= 6; status++) {
        CHECK(strncmp(gyre_status_name((enum gyre_status)status), "GYRE_", 5) == 0);
        CHECK(strlen(gyre_status_sentence((enum gyre_status)status)) >= 4);
    }
    CHECK_STR(gyre_status_name(GYRE_OK), "GYRE_OK");
    CHECK_STR(gyre_status_name(GYRE_BAD_LAYOUT), "GYRE_BAD_LAYOUT");
    CHECK_STR(gyre_status_name((enum gyre_status)99), "unknown");
    CHECK(gyre_status_sentence((enum gyre_status) - 99) != NULL);
    CHECK_STR(gyre_version(), GYRE_VERSION_STRING);
}
