/*
 * cli.h - what the verbs of the command share: exit codes, options, errors, input and output.
 *
 * The command knows the public API and the console part of sync.h.  It includes no header of an
 * operating system, and nothing of the library includes it.
 */
#ifndef GYRE_CLI_H
#define GYRE_CLI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <gyre/gyre.h>

/* Exit codes, for scripts: documented in the help and the manual page, never changed. */
enum cli_exit {
    CLI_DONE = 0,
    CLI_ERROR = 1,
    CLI_USAGE = 2,
    CLI_NOT_FOUND = 3,
    CLI_DENIED = 4,
    CLI_TIMEOUT = 5,
    CLI_GAP = 6,
    CLI_INTERRUPTED = 130
};

/* args: options from a table. */
#define CLI_GO_ON (-1)
#define CLI_OPTIONS_MAX 20u

enum cli_value { CLI_FLAG, CLI_COUNT, CLI_SIZE, CLI_DURATION, CLI_MODE, CLI_TEXT };

struct cli_option {
    const char    *name;   /* without its dashes; NULL ends the table */
    char           letter; /* of the short form; 0: none */
    enum cli_value kind;   /* says what lies at `offset`: bool, uint64_t or const char * */
    size_t         offset; /* in the options of its verb */
    uint64_t       max;    /* of a count or a size; the smallest is 1, or 0 if `may_be_zero` */
    bool           may_be_zero;
    const char    *value_name; /* for the help */
    const char    *help;
    const char    *field; /* the field of struct gyre_error that blames this option */
    const char    *range; /* what the library takes, if it is not obvious */
};

struct cli_verb {
    const char              *name;
    const char              *operand; /* "NAME" or NULL: takes none */
    const char              *summary;
    const char              *details; /* whole lines for the help; may be empty */
    const struct cli_option *options;
    int (*run)(const struct cli_verb *verb, int argc, char **argv);
};

/* What a command line said: the ring's name, and the value of each option of the table or NULL. */
struct cli_args {
    const struct cli_verb *verb;
    const char            *name;
    const char            *given[CLI_OPTIONS_MAX];
};

extern const struct cli_verb cli_verb_pub;
extern const struct cli_verb cli_verb_sub;
extern const struct cli_verb cli_verb_tail;
extern const struct cli_verb cli_verb_stat;
extern const struct cli_verb cli_verb_list;
extern const struct cli_verb cli_verb_rm;
extern const struct cli_verb cli_verb_doctor;

/*
 * Reads what stands behind the verb into `options`, whose defaults the caller has set.  CLI_GO_ON,
 * or the code to exit with because help was asked for or because of a mistake, which is reported.
 */
int cli_parse(const struct cli_verb *verb, int argc, char **argv, struct cli_args *args,
              void *options);

void cli_print_help(const struct cli_verb *verb);

/* units: numbers as people write them.  False: not such a number, or too large. */
bool cli_read_count(const char *text, uint64_t *count);
bool cli_read_mode(const char *text, uint64_t *mode);            /* 0640: octal, as for chmod */
bool cli_read_size(const char *text, uint64_t *size);            /* 4096, 64K, 4M, 1G, 1T */
bool cli_read_duration(const char *text, uint64_t *duration_ns); /* 500us, 20ms, 1.5s, 2, 1m, 1h */

/* The deadline that is `duration_ns` away; GYRE_FOREVER stays what it is. */
uint64_t cli_deadline_in(uint64_t duration_ns);

/* The number with a comma between thousands. */
#define CLI_GROUPED_SIZE 27
const char *cli_grouped(uint64_t number, char text[CLI_GROUPED_SIZE]);

/* report: errors to stderr, each naming its culprit, and the exit codes that follow from them. */
extern const char cli_exit_codes[]; /* for the help */

int cli_exit_of(enum gyre_status status);
int cli_usage(const char *verb, const char *culprit, const char *value, const char *why);
int cli_fail(const struct cli_args *args, const struct gyre_error *error);
int cli_read_scope(const char *verb, const char *text, uint32_t *scope); /* CLI_GO_ON or a code */
int cli_complain(const struct cli_args *args, enum gyre_status status, const char *sentence);

/* interrupt: Ctrl-C, from the first call on. */
void cli_interrupt_arm(void);
void cli_interrupt_producer(struct gyre_producer *producer); /* NULL: closed again */
void cli_interrupt_consumer(struct gyre_consumer *consumer);
bool cli_is_interrupted(void);

/* input: stdin cut into messages. */
enum cli_piece {
    CLI_PIECE_MESSAGE,   /* a whole message */
    CLI_PIECE_TOO_LARGE, /* a line over the limit went by; it was not kept */
    CLI_PIECE_NONE       /* nothing whole is left of what was read */
};

enum cli_fill {
    CLI_FILL_OK,
    CLI_FILL_END,
    CLI_FILL_INTERRUPTED,
    CLI_FILL_FAILED,
    CLI_FILL_NO_MEMORY
};

struct cli_input {
    char    *bytes;
    size_t   capacity;
    size_t   begin; /* bytes[begin..end) were read and not yet handed out */
    size_t   end;
    size_t   searched; /* no newline in bytes[begin..searched) */
    uint64_t limit;    /* the largest message */
    uint64_t block;    /* 0: lines; otherwise every message has so many bytes */
    uint64_t dropped;  /* bytes so far of a line over the limit */
    uint64_t count;    /* messages and lines over the limit that were handed out */
    bool     is_at_end;
};

struct cli_message {
    const char *bytes; /* valid until the next fill */
    uint64_t    size;
};

bool           cli_input_open(struct cli_input *input, uint64_t limit, uint64_t block);
void           cli_input_close(struct cli_input *input);
enum cli_piece cli_input_next(struct cli_input *input, struct cli_message *message);
enum cli_fill  cli_input_fill(struct cli_input *input);

/* output: bytes to stdout, many at a time; nothing is left to be written at exit. */
enum cli_sent {
    CLI_SENT_OK,
    CLI_SENT_CLOSED, /* nobody reads the pipe any more */
    CLI_SENT_INTERRUPTED,
    CLI_SENT_FAILED, /* reported already */
    CLI_SENT_NO_MEMORY
};

struct cli_output {
    char  *bytes;
    size_t capacity;
    size_t used;
};

/* Once, before anything is written. */
void cli_output_prepare(void);

bool          cli_output_open(struct cli_output *output);
void          cli_output_close(struct cli_output *output);
enum cli_sent cli_output_flush(struct cli_output *output);

/* Makes room for `size` more bytes behind those used, by a flush if need be. */
enum cli_sent cli_output_reserve(struct cli_output *output, size_t size);

#ifdef __MINGW_PRINTF_FORMAT
#define CLI_PRINTF_FORMAT __MINGW_PRINTF_FORMAT
#else
#define CLI_PRINTF_FORMAT printf
#endif

/* Text for stdout, kept until the second writes it at the end of the command and returns `code`. */
__attribute__((format(CLI_PRINTF_FORMAT, 1, 2))) void cli_print(const char *format, ...);

int cli_print_end(int code);

/* sub: receiving, shared with tail. */
struct cli_receive_options {
    const char *group; /* NULL: no member of one */
    uint64_t    claim_count;
    bool        is_group_kept;
    bool        is_lossy;
    bool        is_raw;
    bool        is_following;
    const char *from;
    uint64_t    message_limit;
    uint64_t    timeout_ns;
    const char *owner;
    const char *scope;
};
#define CLI_RECEIVE_DEFAULTS                                                                       \
    {                                                                                              \
        NULL, 0, false, false, false, false, NULL, UINT64_MAX, GYRE_FOREVER, NULL, NULL            \
    }
#define CLI_SUB_ALONE 4u /* so many options at the front are not for taps */
extern const struct cli_option cli_receive_options[];
int cli_receive(const struct cli_args *args, const struct cli_receive_options *options,
                enum gyre_consumer_kind kind);

#endif
