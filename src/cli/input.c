/*
 * input.c - stdin, cut into messages: a line each, or blocks of one size.
 *
 * It reads what is there and never waits for more than that, so a slow pipe is passed on promptly
 * and a fast one in large pieces.  A line over the limit is read to its end and thrown away as it
 * comes: memory is used for what can be sent and for no more.
 */
#include "cli.h"

#include <stdlib.h>
#include <string.h>

#include "sync.h"

#define READ_SIZE ((size_t)256 * 1024)

bool cli_input_open(struct cli_input *input, uint64_t limit, uint64_t block)
{
    *input = (struct cli_input){.limit = limit, .block = block};
    input->capacity = block > READ_SIZE ? (size_t)block : READ_SIZE;
    input->bytes = malloc(input->capacity);
    return input->bytes != NULL;
}

void cli_input_close(struct cli_input *input)
{
    free(input->bytes);
    input->bytes = NULL;
}

/* Hands out `size` bytes and moves behind them and the `newline` byte that ended them, if any. */
static enum cli_piece hand_out(struct cli_input *input, size_t size, size_t newline,
                               struct cli_message *message)
{
    message->bytes = input->bytes + input->begin;
    message->size = input->dropped + size;
    input->begin += size + newline;
    input->searched = input->begin;
    input->dropped = 0;
    input->count++;
    return message->size > input->limit ? CLI_PIECE_TOO_LARGE : CLI_PIECE_MESSAGE;
}

enum cli_piece cli_input_next(struct cli_input *input, struct cli_message *message)
{
    size_t size = input->end - input->begin;

    if (input->block != 0) {
        if (size >= input->block)
            return hand_out(input, (size_t)input->block, 0, message);
    } else {
        const char *from = input->bytes + input->searched;
        const char *newline = memchr(from, '\n', input->end - input->searched);
        if (newline != NULL)
            return hand_out(input, (size_t)(newline - input->bytes) - input->begin, 1, message);
        input->searched = input->end;
    }
    /* The last one needs no newline. */
    if (input->is_at_end && (size > 0 || input->dropped > 0))
        return hand_out(input, size, 0, message);
    return CLI_PIECE_NONE;
}

/* Makes room behind what is left of the last fill. */
static bool make_room(struct cli_input *input)
{
    size_t left = input->end - input->begin;
    char  *larger;

    if (left > input->limit) {
        input->dropped += left;
        left = 0;
    } else if (input->dropped > 0) {
        input->dropped += left;
        left = 0;
    } else if (left > 0 && input->begin > 0) {
        memmove(input->bytes, input->bytes + input->begin, left);
    }
    input->begin = 0;
    input->end = left;
    input->searched = left;
    if (left < input->capacity)
        return true;
    larger = realloc(input->bytes, input->capacity * 2);
    if (larger == NULL)
        return false;
    input->bytes = larger;
    input->capacity *= 2;
    return true;
}

/* Reads once; call it when nothing whole is left.  CLI_FILL_END: there is nothing left at all. */
enum cli_fill cli_input_fill(struct cli_input *input)
{
    int64_t count;

    if (input->is_at_end)
        return CLI_FILL_END;
    if (!make_room(input))
        return CLI_FILL_NO_MEMORY;
    if (cli_is_interrupted())
        return CLI_FILL_INTERRUPTED;
    count = sync_console_read(input->bytes + input->end, input->capacity - input->end);
    if (count == -2 || (count <= 0 && cli_is_interrupted()))
        return CLI_FILL_INTERRUPTED;
    if (count < 0)
        return CLI_FILL_FAILED;
    input->is_at_end = count == 0;
    input->end += (size_t)count;
    return CLI_FILL_OK;
}
