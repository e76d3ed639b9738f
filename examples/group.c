/*
 * group.c - a worker: shares the jobs that come through a ring with the other workers of its group.
 *
 * Usage: group RING GROUP        Feed them with: gyre pub RING
 *
 * Start as many as you like, at any time; end one at any time, and another does what it left.
 */
#include <stdio.h>

#include <gyre/gyre.h>

/* Here the work is to print the job.  A job that is `again` may be done, or half done, already. */
static void work(const char *job, uint32_t size, int again)
{
    printf("%s%.*s\n", again ? "again: " : "", (int)size, job);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    struct gyre_consumer_options options = GYRE_CONSUMER_OPTIONS_INIT;
    struct gyre_consumer        *jobs;
    enum gyre_status             status;
    const char                  *job;
    uint32_t                     size;

    if (argc != 3)
        return 2;
    options.group = argv[2];
    options.start = GYRE_START_OLDEST;       /* counts for the first of the group */
    options.open_deadline_ns = GYRE_FOREVER; /* the ring may appear later */
    status = gyre_consumer_open(argv[1], &options, &jobs, NULL);
    while (status == GYRE_OK || status == GYRE_ORPHANED) { /* dead: another may publish */
        while (status == GYRE_OK && (job = gyre_peek(jobs, &size)) != NULL) {
            work(job, size, gyre_consumer_is_redelivered(jobs));
            gyre_release(jobs); /* not before it is done: until then another one would do it */
        }
        status = gyre_wait(jobs, GYRE_FOREVER);
    }
    if (status != GYRE_CLOSED) {
        fprintf(stderr, "%s: %s\n", argv[1], gyre_status_sentence(status));
        return 1;
    }
    gyre_consumer_close(jobs);
    return 0;
}
