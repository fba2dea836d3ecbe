#define _GNU_SOURCE
#include "websocket.h"

#include <string.h>
#include <unistd.h>

enum { TEXT = 1, CLOSE = 8, PING = 9, PONG = 10, SHORT = 64 };
static const char PUSHER_PONG[] = "{\"event\":\"pusher:pong\",\"data\":{}}";

static int send_frame(int fd, int opcode, const char *payload, size_t size) {
    static const unsigned char mask[4] = {0x37, 0xfa, 0x21, 0x3d};
    unsigned char frame[8 + HEARD];
    if (size > HEARD) return 0;
    size_t head = size < 126 ? 2 : 4;
    frame[0] = (unsigned char)(0x80 | opcode);
    frame[1] = (unsigned char)(0x80 | (size < 126 ? size : 126));
    if (head == 4) {
        frame[2] = (unsigned char)(size >> 8);
        frame[3] = (unsigned char)size;
    }
    memcpy(frame + head, mask, 4);
    head += 4;
    for (size_t i = 0; i < size; i++) {
        frame[head + i] = (unsigned char)payload[i] ^ mask[i % 4];
    }
    return write(fd, frame, head + size) == (ssize_t)(head + size);
}

int send_text(int fd, const char *text) {
    return send_frame(fd, TEXT, text, strlen(text));
}

/* How long the frame's head is, as far as that is known. */
static int head_length(const struct frames *f) {
    if (f->head_size < 2) return 2;
    int length = f->head[1] & 127;
    return length == 127 ? 10 : length == 126 ? 4 : 2;
}

static uint64_t payload_length(const struct frames *f) {
    int size = head_length(f);
    if (size == 2) return f->head[1] & 127;
    uint64_t length = 0;
    for (int i = 2; i < size; i++) length = length << 8 | f->head[i];
    return length;
}

static int end_frame(struct frames *f, int fd, int listening, void (*hear)(void *, const char *),
                     void *who) {
    int opcode = f->head[0] & 15;
    f->heard[f->heard_size] = 0;
    f->head_size = f->in_payload = 0;
    if (opcode == CLOSE) return 0;
    if (opcode == PING) return send_frame(fd, PONG, f->heard, (size_t)f->heard_size);
    if (opcode != TEXT) return 1;
    if (strstr(f->heard, "\"pusher:ping\"")) return send_text(fd, PUSHER_PONG);
    if (listening) hear(who, f->heard);
    return 1;
}

int read_frames(struct frames *f, int fd, const char *data, size_t size, int listening,
                void (*hear)(void *, const char *), void *who) {
    while (size || (f->in_payload && !f->left)) {
        if (!f->in_payload) {
            f->head[f->head_size++] = (unsigned char)*data++;
            size--;
            if (f->head_size == head_length(f) && f->head_size >= 2) {
                f->left = payload_length(f);
                f->in_payload = 1;
                f->heard_size = 0;
            }
            continue;
        }
        size_t part = f->left < size ? (size_t)f->left : size;
        /* Long messages are events, which are counted elsewhere. */
        int wanted = listening || f->head[0] & 8 || f->left + (uint64_t)f->heard_size < SHORT;
        if (wanted && part + (size_t)f->heard_size <= HEARD) {
            memcpy(f->heard + f->heard_size, data, part);
            f->heard_size += (int)part;
        }
        data += part;
        size -= part;
        f->left -= part;
        if (!f->left && !end_frame(f, fd, listening, hear, who)) return 0;
    }
    return 1;
}
