/* The client's side of WebSocket messages: reads frames, answers pings, sends masked ones. */
#ifndef WEBSOCKET_H
#define WEBSOCKET_H

#include <stddef.h>
#include <stdint.h>

enum { HEARD = 1024 };

/* Where a connection is in what it reads. All zero at the beginning of a connection. */
struct frames {
    unsigned char head[10];
    int head_size;
    int in_payload;
    uint64_t left;
    int heard_size;
    char heard[HEARD + 1];
};

/* Reads what has come; 0 if the connection is over. `listening` says whether messages are to be told
   to `hear`, which happens to short ones only. */
int read_frames(struct frames *f, int fd, const char *data, size_t size, int listening,
                void (*hear)(void *, const char *), void *who);

/* Sends a text message; 0 if it can't. */
int send_text(int fd, const char *text);

#endif
