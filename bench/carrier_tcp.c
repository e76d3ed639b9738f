/*
 * carrier_tcp.c - contestant: TCP over the loopback interface, both systems; Nagle's delay is off.
 *
 * Each consumer listens on a port of its own and says which; the producer connects to all of them.
 */
#ifdef _WIN32
#include <winsock2.h>
#include <ws2tcpip.h>
#else
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#endif
#include <stdint.h>
#include <stdio.h>

#include "host.h"

#ifdef _WIN32
typedef SOCKET stream_handle;
typedef int    stream_size;
#define STREAM_INVALID INVALID_SOCKET

static inline const char *stream_error(void)
{
    static char text[32];
    (void)snprintf(text, sizeof(text), "Winsock error %d", WSAGetLastError());
    return text;
}

static inline int stream_would_block(void)
{
    return WSAGetLastError() == WSAEWOULDBLOCK;
}

static int stream_set_polling(stream_handle handle)
{
    u_long on = 1;
    return ioctlsocket(handle, (long)FIONBIO, &on);
}

static void stream_start(void)
{
    WSADATA data;
    (void)WSAStartup(MAKEWORD(2, 2), &data);
}
#else
typedef int    stream_handle;
typedef size_t stream_size;
#define STREAM_INVALID (-1)
#define closesocket close

static inline const char *stream_error(void)
{
    return strerror(errno);
}

static inline int stream_would_block(void)
{
    return errno == EAGAIN || errno == EINTR;
}

static int stream_set_polling(stream_handle handle)
{
    return fcntl(handle, F_SETFL, O_NONBLOCK);
}

static void stream_start(void)
{
}
#endif

static inline int64_t stream_write(stream_handle out, const void *bytes, uint32_t size)
{
    int64_t moved = (int64_t)send(out, bytes, (stream_size)size, 0);
    return moved < 0 && stream_would_block() ? 0 : moved;
}

static inline int64_t stream_read(stream_handle in, void *bytes, uint32_t size)
{
    int64_t moved = (int64_t)recv(in, bytes, (stream_size)size, 0);
    if (moved > 0)
        return moved;
    return moved < 0 && stream_would_block() ? 0 : -1;
}

#include "carrier_stream.h"

static struct sockaddr_in loopback(uint64_t port)
{
    struct sockaddr_in address = {0};
    address.sin_family = AF_INET;
    address.sin_port = htons((uint16_t)port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

static int finish(stream_handle handle, const struct job *job)
{
    int on = 1;
    if (setsockopt(handle, IPPROTO_TCP, TCP_NODELAY, (const char *)&on, sizeof(on)) != 0)
        return -1;
    return job->setup.is_blocking ? 0 : stream_set_polling(handle);
}

static int connect_all(struct port *port)
{
    for (uint32_t i = 0; i < port->job->setup.consumer_count; i++) {
        struct sockaddr_in address;
        uint64_t           number;
        stream_handle      out = socket(AF_INET, SOCK_STREAM, 0);
        if (out == STREAM_INVALID)
            return port_fail(port, "socket");
        port->out[port->out_count++] = out;
        while ((number = atomic_load(&port->job->meeting[i])) == 0)
            host_yield();
        address = loopback(number);
        if (connect(out, (struct sockaddr *)&address, sizeof(address)) != 0 ||
            finish(out, port->job) != 0)
            return port_fail(port, "connect");
    }
    port->in = port->out[0];
    return 0;
}

static int accept_one(struct port *port, uint32_t consumer_idx)
{
    struct sockaddr_in address = loopback(0);
    socklen_t          size = sizeof(address);
    stream_handle      listener = socket(AF_INET, SOCK_STREAM, 0);

    if (listener == STREAM_INVALID)
        return port_fail(port, "socket");
    if (bind(listener, (struct sockaddr *)&address, sizeof(address)) != 0 ||
        listen(listener, 1) != 0 || getsockname(listener, (struct sockaddr *)&address, &size) != 0)
        return port_fail(port, "listen");
    atomic_store(&port->job->meeting[consumer_idx], ntohs(address.sin_port));
    port->in = accept(listener, NULL, NULL);
    if (port->in == STREAM_INVALID || finish(port->in, port->job) != 0)
        return port_fail(port, "accept");
    (void)closesocket(listener);
    port->out[port->out_count++] = port->in;
    return 0;
}

static void *tcp_open(struct job *job, uint32_t role, const struct carrier_end *end)
{
    struct port *port = port_make(job, role);
    int          result;
    if (port == NULL)
        return NULL;
    stream_start();
    result = end->is_producer ? connect_all(port) : accept_one(port, end->consumer_idx);
    if (result == 0)
        return port;
    port_free(port);
    return NULL;
}

static void tcp_close(void *of)
{
    struct port *port = of;
    for (uint32_t i = 0; i < port->out_count; i++)
        (void)closesocket(port->out[i]);
    port_free(port);
}

#include "carrier_loops.h"

const struct carrier carrier_tcp = {
    .name = "tcp loopback",
    .is_duplex = 1,
    .open = tcp_open,
    .close = tcp_close,
    LOOPS,
};
