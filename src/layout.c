/*
 * layout.c - options to offsets, and the judge of foreign maps.
 *
 * Pure: it calls no system and keeps no state, so that it can be fuzzed.  What it reads may be
 * written by somebody hostile at the same time: every word is read once, into a copy that is
 * judged.
 */
#include "internal.h"

#include <string.h>

#include <gyre/atomic.h>

#define DEFAULT_CAPACITY (UINT64_C(4) << 20)
#define DEFAULT_FRAME_ALIGN 64u
#define DEFAULT_SEAT_COUNT 63u
#define FEATURES_KNOWN UINT64_C(0)

enum gyre_status gyre__blame(struct gyre_error *error, enum gyre_status status, const char *field)
{
    (void)sync_fail(error, status, 0, NULL);
    error->field = field;
    return status;
}

uint64_t gyre__data_size(uint64_t capacity)
{
    return GYRE_RING_OFF + capacity;
}

uint64_t gyre__ctrl_size(uint32_t seat_count)
{
    return GYRE_SEATS_OFF + (uint64_t)seat_count * sizeof(struct gyre_shared_seat);
}

uint32_t gyre__max_size(uint64_t capacity)
{
    uint64_t frame = capacity / 2 < GYRE_FRAME_SIZE_LIMIT ? capacity / 2 : GYRE_FRAME_SIZE_LIMIT;

    return (uint32_t)(frame - GYRE_FRAME_HEADER_SIZE);
}

static bool is_power_of_two(uint64_t number)
{
    return number != 0 && (number & (number - 1)) == 0;
}

static bool capacity_is_good(uint64_t capacity)
{
    return is_power_of_two(capacity) && capacity >= GYRE_CAPACITY_MIN &&
           capacity <= GYRE_CAPACITY_MAX;
}

static bool align_is_good(uint32_t align)
{
    return is_power_of_two(align) && align >= GYRE_FRAME_ALIGN_MIN && align <= GYRE_FRAME_ALIGN_MAX;
}

/* The owner keeps its rights, nobody executes, all others at most read, and who writes reads. */
static bool mode_is_good(uint32_t mode)
{
    return mode == 0 || ((mode & ~UINT32_C(0664)) == 0 && (mode & 0600) == 0600 &&
                         ((mode & 0020) == 0 || (mode & 0040) != 0));
}

static bool name_is_good(const char *name, size_t size)
{
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    size_t length;

    if (name == NULL)
        return false;
    length = strspn(name, allowed);
    return name[length] == '\0' && length >= 1 && length < size && name[0] != '.' && name[0] != '-';
}

bool gyre__name_is_good(const char *name)
{
    return name_is_good(name, GYRE_NAME_SIZE);
}

/* What the consumer's options say of a group. */
static enum gyre_status check_group(struct gyre_consumer_options *options, struct gyre_error *error)
{
    if (options->group == NULL && options->group_flags != 0)
        return gyre__blame(error, GYRE_BAD_ARGUMENT, "group_flags");
    if (options->group == NULL && options->claim_count != 0)
        return gyre__blame(error, GYRE_BAD_ARGUMENT, "claim_count");
    if (options->group == NULL)
        return GYRE_OK;
    if (!name_is_good(options->group, GYRE_GROUP_NAME_SIZE))
        return gyre__blame(error, GYRE_BAD_ARGUMENT, "group");
    if (options->kind == GYRE_TAP) /* nobody knows of it, so it can share nothing */
        return gyre__blame(error, GYRE_BAD_ARGUMENT, "kind");
    if ((options->group_flags & ~(uint32_t)GYRE_GROUP_KEEP) != 0)
        return gyre__blame(error, GYRE_BAD_ARGUMENT, "group_flags");
    if (options->claim_count == 0)
        options->claim_count = 1;
#ifndef GYRE_HAS_PAIRS
    return gyre__blame(error, GYRE_UNSUPPORTED, "group");
#else
    return GYRE_OK;
#endif
}

/*
 * Copies an options struct of another version of this header: a shorter one leaves zeros, a longer
 * one is refused if it asks for something we do not know.
 */
static bool copy_options(void *checked, size_t known_size, const void *given)
{
    const unsigned char *bytes = given;
    uint32_t             size;

    memcpy(&size, given, sizeof(size));
    if (size < sizeof(size) || size > 4096)
        return false;
    for (size_t i = known_size; i < size; i++)
        if (bytes[i] != 0)
            return false;
    memcpy(checked, given, size < known_size ? size : known_size);
    return true;
}

enum gyre_status gyre__check_ring_options(const struct gyre_ring_options *given,
                                          struct gyre_ring_options       *checked,
                                          struct gyre_error              *error)
{
    memset(checked, 0, sizeof(*checked));
    if (given != NULL && !copy_options(checked, sizeof(*checked), given))
        return gyre__blame(error, GYRE_BAD_ARGUMENT, "size");
    if (checked->capacity != 0 && !capacity_is_good(checked->capacity))
        return gyre__blame(error, GYRE_BAD_ARGUMENT, "capacity");
    if (checked->frame_align != 0 && !align_is_good(checked->frame_align))
        return gyre__blame(error, GYRE_BAD_ARGUMENT, "frame_align");
    if (checked->seat_count > GYRE_SEAT_LIMIT)
        return gyre__blame(error, GYRE_BAD_ARGUMENT, "seat_count");
    if ((checked->flags & ~(uint32_t)(GYRE_STRICT_WAKE | GYRE_KEEP | GYRE_SEALED)) != 0 ||
        (checked->flags & (GYRE_KEEP | GYRE_SEALED)) == (GYRE_KEEP | GYRE_SEALED))
        return gyre__blame(error, GYRE_BAD_ARGUMENT, "flags");
    if ((checked->flags & GYRE_SEALED) != 0 && checked->mode != 0)
        return gyre__blame(error, GYRE_BAD_ARGUMENT, "mode");
    if ((checked->flags & GYRE_SEALED) != 0 && checked->owner_group != NULL)
        return gyre__blame(error, GYRE_BAD_ARGUMENT, "owner_group");
    if (checked->wait > GYRE_WAIT_SLEEP)
        return gyre__blame(error, GYRE_BAD_ARGUMENT, "wait");
    if (checked->first_pos % (checked->capacity != 0 ? checked->capacity : DEFAULT_CAPACITY) != 0)
        return gyre__blame(error, GYRE_BAD_ARGUMENT, "first_pos");
    if (!mode_is_good(checked->mode))
        return gyre__blame(error, GYRE_BAD_ARGUMENT, "mode");
    if (checked->scope > GYRE_SCOPE_GLOBAL)
        return gyre__blame(error, GYRE_BAD_ARGUMENT, "scope");
    return GYRE_OK;
}

enum gyre_status gyre__check_consumer_options(const struct gyre_consumer_options *given,
                                              struct gyre_consumer_options       *checked,
                                              struct gyre_error                  *error)
{
    memset(checked, 0, sizeof(*checked));
    if (given != NULL && !copy_options(checked, sizeof(*checked), given))
        return gyre__blame(error, GYRE_BAD_ARGUMENT, "size");
    if (checked->kind > GYRE_TAP)
        return gyre__blame(error, GYRE_BAD_ARGUMENT, "kind");
    if (checked->start > GYRE_START_SEQ)
        return gyre__blame(error, GYRE_BAD_ARGUMENT, "start");
    if (checked->on_gap > GYRE_RESUME_NEWEST)
        return gyre__blame(error, GYRE_BAD_ARGUMENT, "on_gap");
    if (checked->wait > GYRE_WAIT_SLEEP)
        return gyre__blame(error, GYRE_BAD_ARGUMENT, "wait");
    if (checked->scope > GYRE_SCOPE_GLOBAL)
        return gyre__blame(error, GYRE_BAD_ARGUMENT, "scope");
    return check_group(checked, error);
}

void gyre__geometry_from(const struct gyre_ring_options *options, struct gyre_geometry *geometry)
{
    memset(geometry, 0, sizeof(*geometry));
    geometry->capacity = options->capacity != 0 ? options->capacity : DEFAULT_CAPACITY;
    geometry->frame_align = options->frame_align != 0 ? options->frame_align : DEFAULT_FRAME_ALIGN;
    geometry->seat_count = options->seat_count != 0 ? options->seat_count : DEFAULT_SEAT_COUNT;
    geometry->first_pos = options->first_pos;
    geometry->options = options->flags & ~(uint32_t)GYRE_SEALED; /* of the handle's site */
}

void gyre__write_data(void *base, const struct gyre_geometry *geometry)
{
    struct gyre_shared_header   *header = base;
    unsigned char               *bytes = base;
    struct gyre_shared_front    *front = (void *)(bytes + GYRE_FRONT_OFF);
    struct gyre_shared_landmark *landmarks = (void *)(bytes + GYRE_LANDMARKS_OFF);

    header->layout_version = GYRE_LAYOUT_VERSION;
    header->header_size = sizeof(*header);
    header->capacity = geometry->capacity;
    GYRE_FAULT(header_half);
    header->frame_align = geometry->frame_align;
    header->seat_count = geometry->seat_count;
    header->ring_id[0] = geometry->ring_id[0];
    header->ring_id[1] = geometry->ring_id[1];
    header->created_ns = geometry->created_ns;
    header->first_pos = geometry->first_pos;
    header->options = geometry->options;
    /* One header may be written, the zero that ends the empty stream; and nothing overwritten. */
    front->horizon_pos = geometry->first_pos + geometry->frame_align - geometry->capacity;
    front->granted_pos = front->horizon_pos;
    landmarks[0].pos = geometry->first_pos;
    for (uint32_t i = 1; i < GYRE_LANDMARK_COUNT; i++)
        landmarks[i].pos = GYRE_LANDMARK_NONE;
}

void gyre__write_ctrl(void *base, const struct gyre_geometry *geometry)
{
    struct gyre_shared_ctrl     *ctrl = base;
    unsigned char               *bytes = base;
    struct gyre_shared_sleepers *sleepers = (void *)(bytes + GYRE_SLEEPERS_OFF);

    ctrl->layout_version = GYRE_LAYOUT_VERSION;
    ctrl->seat_count = geometry->seat_count;
    ctrl->ring_id[0] = geometry->ring_id[0];
    ctrl->ring_id[1] = geometry->ring_id[1];
    /* In a strict ring somebody always needs the producer's fence. */
    if ((geometry->options & GYRE_OPTION_STRICT_WAKE) != 0)
        sleepers->mask = GYRE_SLEEPERS_FENCE;
}

void gyre__write_magic(void *base, uint64_t magic)
{
    gyre_store_release_64(base, magic); /* E4 */
}

enum gyre_status gyre__judge_data(const void *base, uint64_t size, struct gyre_geometry *geometry,
                                  struct gyre_error *error)
{
    struct gyre_shared_header header;
    uint64_t                  magic;

    if (size < GYRE_RING_OFF)
        return gyre__blame(error, GYRE_BAD_LAYOUT, "size");
    magic = gyre_load_acquire_64(base); /* E4 */
    if (magic == 0)
        return gyre__blame(error, GYRE_NOT_FOUND, "magic");
    if (magic != GYRE_DATA_MAGIC)
        return gyre__blame(error, GYRE_BAD_LAYOUT, "magic");
    memcpy(&header, base, sizeof(header));
    gyre_fence_acquire(); /* no edge: the copy is used, never the original again */
    if (header.layout_version != GYRE_LAYOUT_VERSION)
        return gyre__blame(error, GYRE_BAD_LAYOUT, "layout_version");
    if (header.header_size != sizeof(header))
        return gyre__blame(error, GYRE_BAD_LAYOUT, "header_size");
    if ((header.required_features & ~FEATURES_KNOWN) != 0)
        return gyre__blame(error, GYRE_BAD_LAYOUT, "required_features");
    if (!capacity_is_good(header.capacity) || gyre__data_size(header.capacity) > size)
        return gyre__blame(error, GYRE_BAD_LAYOUT, "capacity");
    if (!align_is_good(header.frame_align))
        return gyre__blame(error, GYRE_BAD_LAYOUT, "frame_align");
    if (header.seat_count == 0 || header.seat_count > GYRE_SEAT_LIMIT)
        return gyre__blame(error, GYRE_BAD_LAYOUT, "seat_count");
    if ((header.first_pos & (header.capacity - 1)) != 0)
        return gyre__blame(error, GYRE_BAD_LAYOUT, "first_pos");
    geometry->capacity = header.capacity;
    geometry->frame_align = header.frame_align;
    geometry->seat_count = header.seat_count;
    geometry->ring_id[0] = header.ring_id[0];
    geometry->ring_id[1] = header.ring_id[1];
    geometry->created_ns = header.created_ns;
    geometry->first_pos = header.first_pos;
    geometry->options = header.options;
    return GYRE_OK;
}

enum gyre_status gyre__judge_ctrl(const void *base, uint64_t size,
                                  const struct gyre_geometry *geometry, struct gyre_error *error)
{
    struct gyre_shared_ctrl ctrl;

    if (size < gyre__ctrl_size(geometry->seat_count))
        return gyre__blame(error, GYRE_BAD_LAYOUT, "ctrl size");
    if (gyre_load_acquire_64(base) != GYRE_CTRL_MAGIC) /* E4 */
        return gyre__blame(error, GYRE_BAD_LAYOUT, "ctrl magic");
    memcpy(&ctrl, base, sizeof(ctrl));
    gyre_fence_acquire(); /* no edge: as above */
    if (ctrl.layout_version != GYRE_LAYOUT_VERSION)
        return gyre__blame(error, GYRE_BAD_LAYOUT, "ctrl layout_version");
    if (ctrl.seat_count != geometry->seat_count)
        return gyre__blame(error, GYRE_BAD_LAYOUT, "ctrl seat_count");
    if (ctrl.ring_id[0] != geometry->ring_id[0] || ctrl.ring_id[1] != geometry->ring_id[1])
        return gyre__blame(error, GYRE_BAD_LAYOUT, "ctrl ring_id");
    return GYRE_OK;
}
