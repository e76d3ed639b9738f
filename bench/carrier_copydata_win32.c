/*
 * carrier_copydata_win32.c - contestant: WM_COPYDATA, to a message-only window of the receiver.
 *
 * SendMessage returns when the receiver has copied the message, so nothing is lost.  What it is
 * given is valid for that call alone; the copies wait in an inbox.
 */
#include <windows.h>

typedef HWND call_target;
#define CALL_MEMBERS HWND window;

#include "carrier_call_win32.h"

#define WINDOW_CLASS "gyre-bench.copydata"
#define PRODUCER_MEETING (JOB_MEETINGS - 1)

static int port_fail(struct port *port, const char *call)
{
    return role_fail(port->job, port->role, "%s: error %lu", call, GetLastError());
}

static int call_send(struct port *port, HWND window, const void *message)
{
    COPYDATASTRUCT data = {0, port->job->setup.size, (void *)(uintptr_t)message};
    if (SendMessageA(window, WM_COPYDATA, (WPARAM)port->window, (LPARAM)&data) == TRUE)
        return 0;
    return port_fail(port, "SendMessage");
}

__attribute__((noinline)) static void call_wait(struct port *port)
{
    wait_dispatching(port);
}

static LRESULT CALLBACK on_message(HWND window, UINT kind, WPARAM first, LPARAM second)
{
    const COPYDATASTRUCT *data = (const COPYDATASTRUCT *)second;
    struct port          *port = (struct port *)GetWindowLongPtrA(window, GWLP_USERDATA);

    if (kind != WM_COPYDATA)
        return DefWindowProcA(window, kind, first, second);
    return data->cbData == port->job->setup.size &&
           inbox_put(&port->inbox, data->lpData, data->cbData) == 0;
}

static int make_window(struct port *port)
{
    WNDCLASSA class = {0};

    class.lpfnWndProc = on_message;
    class.hInstance = GetModuleHandleA(NULL);
    class.lpszClassName = WINDOW_CLASS;
    (void)RegisterClassA(&class); /* it may be there from the last job */
    port->window =
        CreateWindowA(WINDOW_CLASS, "", 0, 0, 0, 0, 0, HWND_MESSAGE, NULL, class.hInstance, NULL);
    if (port->window == NULL)
        return port_fail(port, "CreateWindow");
    (void)SetWindowLongPtrA(port->window, GWLP_USERDATA, (LONG_PTR)port);
    return 0;
}

static void meet(struct port *port, uint32_t meeting)
{
    uint64_t value;
    while ((value = atomic_load(&port->job->meeting[meeting])) == 0)
        host_yield();
    port->out[port->out_count++] = (HWND)(uintptr_t)value;
}

static void port_close(void *of)
{
    struct port *port = of;
    if (port->window != NULL)
        (void)DestroyWindow(port->window);
    port_free(port);
}

static void *port_open(struct job *job, uint32_t role, const struct carrier_end *end)
{
    struct port *port = port_make(job, role);

    if (port == NULL)
        return NULL;
    if (make_window(port) != 0) {
        port_free(port);
        return NULL;
    }
    atomic_store(&job->meeting[end->is_producer ? PRODUCER_MEETING : end->consumer_idx],
                 (uint64_t)(uintptr_t)port->window);
    if (!end->is_producer)
        meet(port, PRODUCER_MEETING);
    for (uint32_t i = 0; end->is_producer && i < job->setup.consumer_count; i++)
        meet(port, i);
    return port;
}

#include "carrier_loops.h"

const struct carrier carrier_copydata = {
    .name = "WM_COPYDATA",
    .is_duplex = 1,
    .open = port_open,
    .close = port_close,
    LOOPS,
};
