/*
 * units.c - sizes, durations and counts as people write and read them.
 */
#include "cli.h"

#include <string.h>

#define DIGITS "0123456789"

/* Reads the digits at `*text`, at least one, and moves behind them. */
static bool read_digits(const char **text, uint64_t *number)
{
    const char *at = *text;
    uint64_t    sum = 0;

    if (*at < '0' || *at > '9')
        return false;
    for (; *at >= '0' && *at <= '9'; at++) {
        uint64_t digit = (uint64_t)(*at - '0');
        if (sum > (UINT64_MAX - digit) / 10)
            return false;
        sum = sum * 10 + digit;
    }
    *text = at;
    *number = sum;
    return true;
}

bool cli_read_count(const char *text, uint64_t *count)
{
    uint64_t number;

    if (!read_digits(&text, &number) || *text != '\0')
        return false;
    *count = number;
    return true;
}

bool cli_read_size(const char *text, uint64_t *size)
{
    static const char letters[] = "KkMmGgTt";
    uint64_t          number;
    unsigned          shift = 0;

    if (!read_digits(&text, &number))
        return false;
    if (*text != '\0') {
        const char *letter = strchr(letters, *text);
        if (letter == NULL || text[1] != '\0')
            return false;
        shift = 10u * (1u + (unsigned)(letter - letters) / 2u);
    }
    if (number > UINT64_MAX >> shift)
        return false;
    *size = number << shift;
    return true;
}

static bool read_time_unit(const char *text, uint64_t *unit_ns)
{
    static const struct {
        const char *name;
        uint64_t    ns;
    } units[] = {
        {"", 1000000000}, {"s", 1000000000},   {"ms", 1000000},       {"us", 1000},
        {"ns", 1},        {"m", 60000000000u}, {"h", 3600000000000u},
    };

    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
        if (strcmp(text, units[i].name) == 0) {
            *unit_ns = units[i].ns;
            return true;
        }
    return false;
}

bool cli_read_duration(const char *text, uint64_t *duration_ns)
{
    uint64_t whole;
    uint64_t unit_ns;
    uint64_t part_ns = 0;

    if (!read_time_unit(text + strspn(text, DIGITS "."), &unit_ns) || !read_digits(&text, &whole))
        return false;
    if (*text == '.') {
        uint64_t place_ns = unit_ns;
        if (text[1] < '0' || text[1] > '9')
            return false;
        for (text++; *text >= '0' && *text <= '9'; text++) {
            place_ns /= 10;
            part_ns += (uint64_t)(*text - '0') * place_ns;
        }
        if (*text == '.')
            return false;
    }
    if (whole > (UINT64_MAX - part_ns) / unit_ns)
        return false;
    *duration_ns = whole * unit_ns + part_ns;
    return true;
}

uint64_t cli_deadline_in(uint64_t duration_ns)
{
    uint64_t now_ns = gyre_now_ns();

    return duration_ns > GYRE_FOREVER - now_ns ? GYRE_FOREVER : now_ns + duration_ns;
}

const char *cli_grouped(uint64_t number, char text[CLI_GROUPED_SIZE])
{
    char *at = text + CLI_GROUPED_SIZE - 1;

    *at = '\0';
    for (unsigned digits = 0; digits == 0 || number != 0; digits++, number /= 10) {
        if (digits != 0 && digits % 3 == 0)
            *--at = ',';
        *--at = (char)('0' + number % 10);
    }
    return at;
}

bool cli_read_mode(const char *text, uint64_t *mode)
{
    uint64_t value = 0;

    for (const char *at = text; *at != '\0'; at++) {
        if (*at < '0' || *at > '7' || value > 07777)
            return false;
        value = value * 8 + (uint64_t)(*at - '0');
    }
    *mode = value;
    return text[0] != '\0';
}
