/*
 * hostile.c - see hostile.h.
 */
#include "hostile.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <gyre/layout.h>

#include "memory_sync.h"

#define FLIP_COUNT 16u
#define STEPS_MAX 1000000u
#define LONG_CALL_STEPS 20000u
#define STEP_NS 1000u
#define ALL_STEPS_MAX 200000u
#define REPEATS_FOREVER 255u
#define AT_ACCESS UINT64_MAX

struct flip {
    uint64_t offset; /* in the area; AT_ACCESS: the word that is accessed */
    uint64_t value;
    uint32_t how;
    uint32_t n;
    uint32_t countdown;
    uint32_t period;
    uint32_t repeats;
};

static struct area written, other;
static void (*tell_touched)(uint64_t offset);
static struct flip flips[FLIP_COUNT];
static uint32_t    flip_count;
static uint32_t    step_count;
static uint32_t    all_step_count;
static uint64_t    hint;
static uint32_t    death_countdown;
static jmp_buf    *grave;

void gyre_atomic_step(const void *word);

uint64_t take_bytes(struct input *input, uint32_t count)
{
    uint64_t number = 0;

    for (uint32_t i = 0; i < count && input->size > 0; i++, input->bytes++, input->size--)
        number |= (uint64_t)*input->bytes << 8 * i;
    return number;
}

void hostile_found(const char *what)
{
    fprintf(stderr, "found: %s\n", what);
    abort();
}

void hostile_begin(struct area may_write, struct area besides, void (*touched)(uint64_t offset))
{
    written = may_write;
    other = besides;
    tell_touched = touched;
    flip_count = 0;
    step_count = 0;
    all_step_count = 0;
    death_countdown = 0;
    hint = 0;
}

void hostile_die(uint32_t accesses, jmp_buf *to)
{
    death_countdown = accesses;
    grave = to;
}

void hostile_hint(uint64_t number)
{
    hint = number;
}

void hostile_call(void)
{
    all_step_count += step_count;
    step_count = 0;
}

bool hostile_is_spent(void)
{
    return all_step_count > ALL_STEPS_MAX;
}

static void apply(const struct flip *flip, uint64_t offset)
{
    uint64_t value;

    offset &= ~UINT64_C(7);
    if (offset + 8 > written.size)
        return;
    memcpy(&value, written.base + offset, sizeof(value));
    switch (flip->how % 9) {
    case 0:
        value = flip->value;
        break;
    case 1:
        value += flip->n;
        break;
    case 2:
        value -= flip->n;
        break;
    case 3:
        value ^= UINT64_C(1) << flip->n % 64;
        break;
    case 4:
        memcpy(&value, written.base + flip->value % (written.size / 8) * 8, sizeof(value));
        break;
    case 5: /* a frame of the expected number, and another size or kind */
        value = (value & ~GYRE_FRAME_SIZE_MASK) | (flip->value & (GYRE_FRAME_SIZE_MASK * 2 + 1));
        break;
    case 6:
        value = 0 - (uint64_t)flip->n;
        break;
    case 7:
        value = hint + (uint64_t)(int64_t)(int8_t)flip->n * 8;
        break;
    default:
        value = (value & ~UINT64_C(0xffff)) | (flip->value & 0xffff);
    }
    memcpy(written.base + offset, &value, sizeof(value));
    if (tell_touched != NULL)
        tell_touched(offset);
}

static struct flip read_flip(struct input *input)
{
    struct flip flip;
    uint32_t    how = (uint32_t)take_bytes(input, 1);

    memset(&flip, 0, sizeof(flip));
    flip.how = how % 16;
    flip.n = (uint32_t)take_bytes(input, 1);
    flip.offset = (how & 128) != 0 ? AT_ACCESS : take_bytes(input, 2) * 8 % written.size;
    if (flip.how % 9 == 0 || flip.how % 9 == 4 || flip.how % 9 == 5 || flip.how % 9 == 8)
        flip.value = take_bytes(input, flip.how % 9 == 0 ? 8 : 4);
    return flip;
}

void hostile_flip(struct input *input)
{
    struct flip flip = read_flip(input);

    if (flip.offset != AT_ACCESS)
        apply(&flip, flip.offset);
}

void hostile_arm(struct input *input)
{
    uint32_t    when = (uint32_t)take_bytes(input, 1);
    uint32_t    repeats = (when & 128) != 0 ? (uint32_t)take_bytes(input, 1) : 0;
    struct flip flip = read_flip(input);

    flip.period = flip.countdown = 1 + when % 128;
    flip.repeats = repeats;
    if (flip_count < FLIP_COUNT)
        flips[flip_count++] = flip;
}

static bool is_inside(const struct area *area, const void *word, uint64_t *offset)
{
    *offset = (uint64_t)((uintptr_t)word - (uintptr_t)area->base);
    return (uintptr_t)word >= (uintptr_t)area->base && *offset < area->size;
}

void gyre_atomic_step(const void *word)
{
    uint64_t offset, ignored;
    bool     is_written = is_inside(&written, word, &offset);

    if (!is_written && !is_inside(&other, word, &ignored))
        return;
    if (++step_count > STEPS_MAX)
        hostile_found("a call that does not end");
    if (step_count > LONG_CALL_STEPS)
        memory_sync_pass(STEP_NS); /* a deadline comes for those who never look at the clock */
    if (death_countdown > 0 && --death_countdown == 0)
        longjmp(*grave, 1);
    for (uint32_t i = 0; i < flip_count;) {
        struct flip *flip = &flips[i];
        if (flip->offset == AT_ACCESS && !is_written) {
            i++;
            continue;
        }
        if (--flip->countdown > 0) {
            i++;
            continue;
        }
        apply(flip, flip->offset == AT_ACCESS ? offset : flip->offset);
        if (flip->repeats > 0) {
            flip->repeats -= flip->repeats != REPEATS_FOREVER;
            flip->countdown = flip->period;
            i++;
        } else {
            *flip = flips[--flip_count];
        }
    }
}
