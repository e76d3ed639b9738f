/*
 * host.c - errors, random numbers, the process and its forks.
 */
#include "site.h"

#include <errno.h>
#include <pthread.h>
#include <stddef.h>
#include <unistd.h>

static pthread_mutex_t host_mutex = PTHREAD_MUTEX_INITIALIZER;
static void (*call_in_child)(void);
static struct sync_site *open_sites;

enum gyre_status sync_fail(struct gyre_error *error, enum gyre_status status, int32_t os_code,
                           const char *call)
{
    error->status = status;
    error->os_code = os_code;
    error->call = call;
    return status;
}

enum gyre_status sync_host_random(uint64_t words[2], struct gyre_error *error)
{
    ssize_t size;

    do {
        size = sync_calls.getrandom(words, 2 * sizeof(words[0]));
    } while (size < 0 && errno == EINTR);
    if (size != (ssize_t)(2 * sizeof(words[0])))
        return site_fail(error, errno, "getrandom");
    return GYRE_OK;
}

uint32_t sync_host_process_id(void)
{
    return (uint32_t)getpid();
}

void sync_host_lock(void)
{
    (void)pthread_mutex_lock(&host_mutex);
}

void sync_host_unlock(void)
{
    (void)pthread_mutex_unlock(&host_mutex);
}

static void in_forked_child(void)
{
    for (struct sync_site *site = open_sites; site != NULL; site = site->next)
        site_abandon(site);
    if (call_in_child != NULL)
        call_in_child();
    sync_host_unlock();
}

static void expect_forks(void)
{
    static bool is_set;

    if (!is_set)
        is_set = pthread_atfork(sync_host_lock, sync_host_unlock, in_forked_child) == 0;
}

void sync_host_on_fork(void (*in_child)(void))
{
    call_in_child = in_child;
    expect_forks();
}

void host_list_site(struct sync_site *site)
{
    sync_host_lock();
    expect_forks();
    site->previous = NULL;
    site->next = open_sites;
    if (open_sites != NULL)
        open_sites->previous = site;
    open_sites = site;
    sync_host_unlock();
}

void host_unlist_site(struct sync_site *site)
{
    if (site->previous != NULL)
        site->previous->next = site->next;
    else
        open_sites = site->next;
    if (site->next != NULL)
        site->next->previous = site->previous;
}
