/*
 * carrier_handle_win32.h - stream_write and stream_read of carrier_stream.h on a Windows pipe.
 *
 * Polling ends are set to PIPE_NOWAIT: a read of nothing fails with ERROR_NO_DATA, a write into a
 * full pipe moves nothing.
 */
#include <stdint.h>
#include <stdio.h>
#include <windows.h>

typedef HANDLE stream_handle;

static inline const char *stream_error(void)
{
    static char text[32];
    (void)snprintf(text, sizeof(text), "error %lu", GetLastError());
    return text;
}

static inline int64_t stream_write(stream_handle out, const void *bytes, uint32_t size)
{
    DWORD moved = 0;
    return WriteFile(out, bytes, size, &moved, NULL) ? (int64_t)moved : -1;
}

static inline int64_t stream_read(stream_handle in, void *bytes, uint32_t size)
{
    DWORD moved = 0;
    if (ReadFile(in, bytes, size, &moved, NULL))
        return (int64_t)moved;
    return GetLastError() == ERROR_NO_DATA ? 0 : -1;
}

static inline int stream_set_polling(stream_handle handle)
{
    DWORD mode = PIPE_READMODE_BYTE | PIPE_NOWAIT;
    return SetNamedPipeHandleState(handle, &mode, NULL, NULL) ? 0 : -1;
}

#include "carrier_stream.h"
