/*
 * names.c - what an address is called in a printed run.
 */
#include <gyre/layout.h>

#include <stdio.h>

#include "sched.h"

#define MAPS_MAX 8u

static struct {
    uintptr_t base;
    size_t    size;
    bool      is_data;
} maps[MAPS_MAX];
static unsigned map_count;
static char     text[64];

void weave_names_reset(void)
{
    map_count = 0;
}

void weave_name_map(const void *base, size_t size, bool is_data)
{
    if (map_count == MAPS_MAX)
        return;
    maps[map_count].base = (uintptr_t)base;
    maps[map_count].size = size;
    maps[map_count++].is_data = is_data;
}

struct field {
    size_t      offset;
    const char *name;
};

static const char *find(const struct field *fields, size_t offset)
{
    for (; fields->name != NULL; fields++)
        if (fields->offset == offset)
            return fields->name;
    return "?";
}

static void name_data(size_t offset)
{
    static const struct field front[] = {
        {offsetof(struct gyre_shared_front, horizon_pos), "horizon_pos"},
        {offsetof(struct gyre_shared_front, room_pos), "room_pos"},
        {offsetof(struct gyre_shared_front, final_pos), "final_pos"},
        {offsetof(struct gyre_shared_front, final_seq), "final_seq"},
        {offsetof(struct gyre_shared_front, epoch), "epoch"},
        {offsetof(struct gyre_shared_front, state), "state"},
        {offsetof(struct gyre_shared_front, is_registered), "is_registered"},
        {offsetof(struct gyre_shared_front, fence_ack), "fence_ack"},
        {offsetof(struct gyre_shared_front, granted_pos), "granted_pos"},
        {0, NULL}};

    if (offset >= GYRE_RING_OFF)
        (void)snprintf(text, sizeof(text), "ring[%zu]", offset - GYRE_RING_OFF);
    else if (offset >= GYRE_LANDMARKS_OFF)
        (void)snprintf(text, sizeof(text), "landmark[%zu].%s", (offset - GYRE_LANDMARKS_OFF) / 16,
                       offset % 16 == 0 ? "pos" : "seq");
    else if (offset >= GYRE_FRONT_OFF)
        (void)snprintf(text, sizeof(text), "front.%s", find(front, offset - GYRE_FRONT_OFF));
    else
        (void)snprintf(text, sizeof(text), "header[%zu]", offset);
}

static void name_ctrl(size_t offset)
{
    static const struct field seat[] = {
        {offsetof(struct gyre_shared_seat, released_pos), "released_pos"},
        {offsetof(struct gyre_shared_seat, control), "control"},
        {offsetof(struct gyre_shared_seat, bell), "bell"},
        {offsetof(struct gyre_shared_seat, is_registered), "is_registered"},
        {offsetof(struct gyre_shared_seat, needs_fence), "needs_fence"},
        {offsetof(struct gyre_shared_seat, is_pollable), "is_pollable"},
        {offsetof(struct gyre_shared_seat, missed_count), "missed_count"},
        {offsetof(struct gyre_shared_seat, claim), "claim"},
        {offsetof(struct gyre_shared_seat, claim_seq), "claim_seq"},
        {offsetof(struct gyre_shared_seat, claim_end_seq), "claim_end_seq"},
        {0, NULL}};
    static const struct field group[] = {{offsetof(struct gyre_shared_group, next), "next_pos"},
                                         {offsetof(struct gyre_shared_group, next) + 8, "next_tag"},
                                         {offsetof(struct gyre_shared_group, asleep), "asleep"},
                                         {offsetof(struct gyre_shared_group, permits), "permits"},
                                         {offsetof(struct gyre_shared_group, control), "control"},
                                         {offsetof(struct gyre_shared_group, members), "members"},
                                         {offsetof(struct gyre_shared_group, orphans), "orphans"},
                                         {0, NULL}};

    if (offset >= GYRE_SEATS_OFF)
        (void)snprintf(text, sizeof(text), "seat[%zu].%s",
                       (offset - GYRE_SEATS_OFF) / sizeof(struct gyre_shared_seat),
                       find(seat, (offset - GYRE_SEATS_OFF) % sizeof(struct gyre_shared_seat)));
    else if (offset >= GYRE_GROUPS_OFF)
        (void)snprintf(text, sizeof(text), "group[%zu].%s",
                       (offset - GYRE_GROUPS_OFF) / sizeof(struct gyre_shared_group),
                       find(group, (offset - GYRE_GROUPS_OFF) % sizeof(struct gyre_shared_group)));
    else if (offset == GYRE_ROOM_OFF)
        (void)snprintf(text, sizeof(text), "room.bell");
    else if (offset == GYRE_SLEEPERS_OFF)
        (void)snprintf(text, sizeof(text), "sleepers");
    else
        (void)snprintf(text, sizeof(text), "ctrl[%zu]", offset);
}

const char *weave_name_of(const void *word)
{
    for (unsigned i = 0; i < map_count; i++) {
        size_t offset = (uintptr_t)word - maps[i].base;
        if (offset >= maps[i].size)
            continue;
        if (maps[i].is_data)
            name_data(offset);
        else
            name_ctrl(offset);
        return text;
    }
    return "own word";
}
