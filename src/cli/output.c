/*
 * output.c - stdout behind a buffer of our own.
 *
 * stdio's buffer is switched off, so that a reader who left is noticed at a write that we made and
 * nothing is left for exit to write and to block on.
 */
#include "cli.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OUTPUT_SIZE ((size_t)256 * 1024)

static struct cli_output text;          /* of cli_print */
static bool              is_text_short; /* there was no memory for all of it */

static bool is_reader_gone(int code)
{
#ifdef _WIN32
    return code == EPIPE || code == EINVAL; /* what the C runtime makes of ERROR_NO_DATA */
#else
    return code == EPIPE;
#endif
}

static enum cli_sent write_all(const char *bytes, size_t size)
{
    size_t done = 0;

    for (;;) {
        errno = 0;
        done += fwrite(bytes + done, 1, size - done, stdout);
        if (done == size)
            return CLI_SENT_OK;
        clearerr(stdout);
        if (is_reader_gone(errno))
            return CLI_SENT_CLOSED;
        if (errno != EINTR) {
            fprintf(stderr, "gyre: stdout cannot be written: %s\n", strerror(errno));
            return CLI_SENT_FAILED;
        }
        if (cli_is_interrupted())
            return CLI_SENT_INTERRUPTED;
    }
}

void cli_output_prepare(void)
{
    (void)setvbuf(stdout, NULL, _IONBF, 0);
}

bool cli_output_open(struct cli_output *output)
{
    *output = (struct cli_output){.capacity = OUTPUT_SIZE};
    output->bytes = malloc(output->capacity);
    return output->bytes != NULL;
}

void cli_output_close(struct cli_output *output)
{
    free(output->bytes);
    *output = (struct cli_output){.bytes = NULL};
}

enum cli_sent cli_output_flush(struct cli_output *output)
{
    enum cli_sent sent = output->used > 0 ? write_all(output->bytes, output->used) : CLI_SENT_OK;

    output->used = 0;
    return sent;
}

static bool grow(struct cli_output *output, size_t capacity)
{
    char *larger = realloc(output->bytes, capacity);

    if (larger == NULL)
        return false;
    output->bytes = larger;
    output->capacity = capacity;
    return true;
}

enum cli_sent cli_output_reserve(struct cli_output *output, size_t size)
{
    enum cli_sent sent;

    if (size <= output->capacity - output->used)
        return CLI_SENT_OK;
    sent = cli_output_flush(output);
    if (sent != CLI_SENT_OK || size <= output->capacity)
        return sent;
    return grow(output, size) ? CLI_SENT_OK : CLI_SENT_NO_MEMORY;
}

void cli_print(const char *format, ...)
{
    va_list arguments;
    int     size;

    va_start(arguments, format);
    size = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (size < 0 || is_text_short)
        return;
    if (text.capacity - text.used <= (size_t)size &&
        !grow(&text, 2 * text.capacity + (size_t)size + 1)) {
        is_text_short = true;
        return;
    }
    va_start(arguments, format);
    (void)vsnprintf(text.bytes + text.used, (size_t)size + 1, format, arguments);
    va_end(arguments);
    text.used += (size_t)size;
}

int cli_print_end(int code)
{
    enum cli_sent sent = cli_output_flush(&text);

    cli_output_close(&text);
    if (is_text_short)
        fputs("gyre: no memory for what is to be printed\n", stderr);
    if (sent == CLI_SENT_FAILED || is_text_short)
        return code == CLI_DONE ? CLI_ERROR : code;
    return code;
}
