/*
 * ring_dir.c - see ring_dir.h.
 *
 * Criterion runs each scenario in a new process that inherits the environment of the first one.  So
 * the directory is made before main, once, and removed by the process that made it.
 */
#include "ring_dir.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sync.h"

#define NAME_COUNT 8u

const char *ring_dir_name(void)
{
    static char     names[NAME_COUNT][64];
    static unsigned count;
    char           *name = names[count % NAME_COUNT];

    (void)snprintf(name, sizeof(names[0]), "t%lx-%llx-%u", (unsigned long)sync_host_process_id(),
                   (unsigned long long)sync_clock_now_ns(), count);
    count++;
    return name;
}

#ifdef _WIN32

const char *ring_dir_path(void)
{
    return NULL;
}

#else

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#define OWNER "GYRE_TEST_DIR"

static char  own_path[64];
static pid_t own_pid;

__attribute__((constructor)) static void enter(void)
{
    static const char *const patterns[] = {"/dev/shm/gyre-test-XXXXXX", "/tmp/gyre-test-XXXXXX"};
    const char              *inherited = getenv(OWNER);

    if (inherited != NULL) {
        (void)snprintf(own_path, sizeof(own_path), "%s", inherited);
        return;
    }
    for (size_t i = 0; i < 2; i++) {
        (void)snprintf(own_path, sizeof(own_path), "%s", patterns[i]);
        if (mkdtemp(own_path) == NULL)
            continue;
        own_pid = getpid();
        (void)setenv(OWNER, own_path, 1);
        (void)setenv("GYRE_DIR", own_path, 1);
        return;
    }
    fprintf(stderr, "ring_dir: no place for a directory\n");
    abort();
}

__attribute__((destructor)) static void leave(void)
{
    struct dirent *entry;
    DIR           *dir;

    if (own_pid != getpid() || (dir = opendir(own_path)) == NULL)
        return;
    while ((entry = readdir(dir)) != NULL)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            (void)unlinkat(dirfd(dir), entry->d_name, 0);
    (void)closedir(dir);
    (void)rmdir(own_path);
}

const char *ring_dir_path(void)
{
    return own_path;
}

#endif
