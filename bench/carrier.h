/*
 * carrier.h - a way to get messages from one process to others: Gyre, its contestants, the limits.
 *
 * A carrier has lanes; a lane leads from one producer to one or more consumers.  The four verbs a
 * carrier is made of (port_claim, port_publish, port_peek, port_release) are compiled into the
 * loops of carrier_loops.h, so that no call through a pointer is measured.  It knows no figures.
 */
#ifndef GYRE_BENCH_CARRIER_H
#define GYRE_BENCH_CARRIER_H

#include <stdint.h>

#include "job.h"

#ifdef __cplusplus
extern "C" {
#endif

/* One pass of a loop over messages number `first` to first + count - 1. */
struct carrier_pass {
    struct job *job;
    uint32_t    role;
    uint32_t    size;
    uint32_t    batch;
    uint64_t    first;
    uint64_t    count;
    uint32_t   *samples; /* NULL: untimed */
};

/* Messages side by side, number i `i * stride` bytes behind the first; at least one. */
struct run {
    uint32_t count;
    uint32_t stride;
};

/* Which end of which lane a role opens. */
struct carrier_end {
    uint32_t lane; /* 0, or 1 for the answers of a ping-pong */
    uint32_t is_producer;
    uint32_t consumer_idx; /* of a consumer's end */
};

struct carrier {
    const char *name;
    uint32_t    size_max;  /* the largest message; 0: any */
    uint32_t    is_duplex; /* one port carries both directions of a ping-pong */
    uint32_t    is_ring;   /* it has the capacity of the job; warming up fills it once */
    uint32_t    never_sleeps;
    /*
     * In the bench, before and after the roles run; dispose always follows.  May be NULL.  -1: not
     * to be had here; role 0 has failed and has told why, or else errno says it.
     */
    int (*prepare)(struct job *job);
    void (*dispose)(struct job *job);
    /* In a role.  NULL: failed, and role_fail has been told why. */
    void *(*open)(struct job *job, uint32_t role, const struct carrier_end *end);
    void (*close)(void *port);
    /* Loops; 0, or -1 and role_fail has been told.  NULL: it takes no part in such tasks. */
    int (*ping)(void *out, void *in, const struct carrier_pass *pass);
    int (*pong)(void *out, void *in, const struct carrier_pass *pass);
    int (*produce)(void *out, const struct carrier_pass *pass);
    int (*consume)(void *in, const struct carrier_pass *pass);
    int (*wake_send)(void *out, const struct carrier_pass *pass);
    int (*wake_recv)(void *in, const struct carrier_pass *pass);
    int (*alone)(const struct carrier_pass *pass);
};

/* Every carrier this system has; ends with NULL.  job_setup.carrier_idx counts in it. */
extern const struct carrier *const carrier_list[];

uint32_t carrier_idx(const struct carrier *carrier);

extern const struct carrier carrier_gyre;
extern const struct carrier carrier_pipe;
extern const struct carrier carrier_tcp;
#ifdef _WIN32
extern const struct carrier carrier_named_pipe;
extern const struct carrier carrier_mailslot;
extern const struct carrier carrier_copydata;
extern const struct carrier carrier_dde;
extern const struct carrier carrier_rpc; /* if the build found an IDL compiler */
extern const struct carrier carrier_shared_event;
extern const struct carrier carrier_clipboard;
#else
extern const struct carrier carrier_unix_stream;
extern const struct carrier carrier_posix_mq;
/* Those that the build found; see CMakeLists.txt. */
extern const struct carrier carrier_ck_ring;
extern const struct carrier carrier_rte_ring;
extern const struct carrier carrier_boost_spsc;
extern const struct carrier carrier_boost_mq;
extern const struct carrier carrier_libqb;
extern const struct carrier carrier_zeromq;
extern const struct carrier carrier_nng;
#endif

extern const struct carrier limit_word;   /* L1 */
extern const struct carrier limit_line;   /* L2 */
extern const struct carrier limit_stream; /* bandwidth between two cores */
extern const struct carrier limit_memcpy;
extern const struct carrier limit_bell; /* sleep and wake */
#ifdef _WIN32
#define LIMIT_BELL_PING_PONG "limit event ping-pong"
#else
#define LIMIT_BELL_PING_PONG "limit futex ping-pong"
#endif

#ifdef __cplusplus
}
#endif

#endif
