/*
 * fuzz_cli.c - the command, in process: its arguments and its stdin are the input.
 *
 * Each line is a command, its words apart by blanks; behind an empty line comes what each of them
 * reads from stdin.  The rings are the memory of memory_sync.c; one of them, "live", has a
 * producer, a reliable consumer and some messages.  A command that waits for what cannot come is
 * interrupted.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Its memory of an interrupt is this target's to clear. */
#include "../src/cli/interrupt.c"

#include "cli_streams.h"
#include "hostile.h"
#include "memory_sync.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* main of the command: it is compiled under this name. */
int cli_main(int argc, char **argv);

#ifdef _WIN32
#define NULL_DEVICE "NUL"
#else
#define NULL_DEVICE "/dev/null"
#endif
#define COMMANDS_MAX 6u
#define WORDS_MAX 24u

FILE *cli_nowhere;

/* Runs one line; `line` is cut into words in place. */
static void run_line(char *line)
{
    static char program[] = "gyre";
    char       *words[WORDS_MAX + 2] = {program};
    int         count = 1;
    int         code;

    for (char *word = strtok(line, " \t"); word != NULL && count <= (int)WORDS_MAX;
         word = strtok(NULL, " \t"))
        words[count++] = word;
    was_interrupted = 0;
    hostile_call();
    code = cli_main(count, words);
    HOSTILE_CHECK((code >= CLI_DONE && code <= CLI_GAP) || code == CLI_INTERRUPTED);
}

static void open_live(struct gyre_producer **producer, struct gyre_consumer **consumer)
{
    struct gyre_ring_options options = GYRE_RING_OPTIONS_INIT;

    options.capacity = 4096;
    options.spin_ns = 1;
    HOSTILE_CHECK(gyre_producer_open("live", &options, producer, NULL) == GYRE_OK);
    HOSTILE_CHECK(gyre_consumer_open("live", NULL, consumer, NULL) == GYRE_OK);
    for (uint32_t i = 0; i < 10; i++)
        (void)gyre_send(*producer, "some bytes of a message", i * 2, 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char                 *text = malloc(size + 1);
    const char           *commands_end;
    struct gyre_producer *producer = NULL;
    struct gyre_consumer *consumer = NULL;
    char                 *line = text;
    size_t                line_size;

    if (cli_nowhere == NULL)
        cli_nowhere = fopen(NULL_DEVICE, "w");
    if (text == NULL || cli_nowhere == NULL)
        abort();
    memcpy(text, data, size);
    text[size] = '\0';
    line_size = strlen(text); /* a zero ends the commands too */
    commands_end = strstr(text, "\n\n");
    if (commands_end == NULL)
        commands_end = text + line_size;
    memory_sync_reset(MEMORY_BARRIER_WORKS);
    open_live(&producer, &consumer);
    for (uint32_t i = 0; i < COMMANDS_MAX && line < commands_end; i++) {
        size_t stdin_from = (size_t)(commands_end - text) + 2;
        char  *next = line + strcspn(line, "\n");
        bool   is_last = *next == '\0';
        *next = '\0';
        if (stdin_from < size)
            memory_sync_stdin(data + stdin_from, size - stdin_from);
        else
            memory_sync_stdin(NULL, 0);
        run_line(line);
        if (is_last)
            break;
        line = next + 1;
    }
    gyre_consumer_close(consumer);
    gyre_producer_close(producer);
    free(text);
    return 0;
}
