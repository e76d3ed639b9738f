/*
 * carrier_clipboard_win32.c - contestant: the clipboard, a registered format for each direction.
 *
 * The producer puts a message there when its format is gone, the consumer takes it and empties the
 * clipboard.  One consumer only.  It would destroy what a user has there, so it runs under Wine,
 * whose clipboard of this prefix is nobody's.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <windows.h>

#include "carrier.h"
#include "host.h"
#include "message.h"

struct port {
    HWND           window; /* what is put on the clipboard needs an owner */
    UINT           format;
    unsigned char *written; /* one batch */
    uint32_t       written_count;
    unsigned char *read;
    uint32_t       role;
    struct job    *job;
};

static int port_fail(struct port *port, const char *call)
{
    return role_fail(port->job, port->role, "%s: error %lu", call, GetLastError());
}

/* Opens it when the format is there, or not there. */
static void clipboard_open(const struct port *port, BOOL is_there)
{
    for (;; host_yield()) {
        if (IsClipboardFormatAvailable(port->format) != is_there || !OpenClipboard(port->window))
            continue;
        if (IsClipboardFormatAvailable(port->format) == is_there)
            return;
        (void)CloseClipboard();
    }
}

static int put(struct port *port, const void *message, uint32_t size)
{
    HGLOBAL memory = GlobalAlloc(GMEM_MOVEABLE, size);
    void   *at = memory != NULL ? GlobalLock(memory) : NULL;

    if (at == NULL)
        return port_fail(port, "GlobalAlloc");
    memcpy(at, message, size);
    (void)GlobalUnlock(memory);
    clipboard_open(port, FALSE);
    if (!EmptyClipboard() || SetClipboardData(port->format, memory) == NULL)
        return port_fail(port, "SetClipboardData");
    (void)CloseClipboard();
    return 0;
}

MESSAGE_INLINE void *port_claim(struct port *port, uint32_t size)
{
    return port->written + (size_t)size * port->written_count++;
}

MESSAGE_INLINE int port_publish(struct port *port, uint32_t size)
{
    for (uint32_t k = 0; k < port->written_count; k++)
        if (put(port, port->written + (size_t)size * k, size) != 0)
            return -1;
    port->written_count = 0;
    return 0;
}

MESSAGE_INLINE const void *port_peek(struct port *port, uint32_t size)
{
    HANDLE      memory;
    const void *at;

    clipboard_open(port, TRUE);
    memory = GetClipboardData(port->format);
    at = memory != NULL ? GlobalLock(memory) : NULL;
    if (at == NULL || GlobalSize(memory) < size) {
        (void)port_fail(port, "GetClipboardData");
        return NULL;
    }
    memcpy(port->read, at, size);
    (void)GlobalUnlock(memory);
    (void)EmptyClipboard();
    (void)CloseClipboard();
    return port->read;
}

MESSAGE_INLINE void port_release(struct port *port, uint32_t size)
{
    (void)port;
    (void)size;
}

static int prepare(struct job *job)
{
    if (strcmp(host_platform(), "wine") != 0)
        return role_fail(job, 0, "it would overwrite the user's clipboard");
    if (job->setup.consumer_count > 1)
        return role_fail(job, 0, "one consumer only");
    return 0;
}

static void port_close(void *of)
{
    struct port *port = of;
    if (port->window != NULL)
        (void)DestroyWindow(port->window);
    free(port->written);
    free(port->read);
    free(port);
}

static void *port_open(struct job *job, uint32_t role, const struct carrier_end *end)
{
    struct port *port = calloc(1, sizeof(*port));
    char         name[80];

    if (port == NULL)
        return NULL;
    port->job = job;
    port->role = role;
    (void)snprintf(name, sizeof(name), "gyre-bench.%u", end->lane);
    port->format = RegisterClipboardFormatA(name);
    port->window = CreateWindowA("STATIC", "", 0, 0, 0, 0, 0, HWND_MESSAGE, NULL,
                                 GetModuleHandleA(NULL), NULL);
    port->written = malloc((size_t)job->setup.size * job->setup.batch);
    port->read = malloc(job->setup.size);
    if (port->window != NULL && port->format != 0 && port->written != NULL && port->read != NULL)
        return port;
    (void)port_fail(port, "CreateWindow");
    port_close(port);
    return NULL;
}

#include "carrier_loops.h"

const struct carrier carrier_clipboard = {
    .name = "clipboard",
    .prepare = prepare,
    .open = port_open,
    .close = port_close,
    LOOPS,
};
