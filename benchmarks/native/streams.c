#define _GNU_SOURCE
#include "streams.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "figures.h"
#include "input.h"
#include "websocket.h"

enum { TAIL = 64, ID = 48, CHUNK = 1 << 16, MOST = 1 << 15, REQUESTS = 1 << 14 };
enum state { CLOSED, CONNECTING, ASKED, GREETED, OPEN };

struct stream {
    int fd;
    enum state state;
    uint64_t begun;
    int kept;
    char tail[TAIL];
    char id[ID];
    struct frames frames;
};

static struct options options;
static struct stream streams[MOST];
static char *requests[REQUESTS], buffer[TAIL + CHUNK + 1];
static int request_count, count, opened, failed, pending, epoll;

void set_up(const struct options *given, char *text) {
    options = *given;
    while (text && *text && request_count < REQUESTS) {
        char *next = strstr(text, "---\n");
        if (next) *next = 0;
        requests[request_count++] = text;
        text = next ? next + 4 : NULL;
    }
    epoll = epoll_create1(0);
    struct epoll_event input = {.events = EPOLLIN, .data.ptr = NULL};
    epoll_ctl(epoll, EPOLL_CTL_ADD, STDIN_FILENO, &input);
}

int streams_open(void) {
    return opened;
}

int streams_failed(void) {
    return failed;
}

static void close_stream(struct stream *s) {
    if (s->state == CLOSED) return;
    close(s->fd);
    if (s->state == OPEN) opened--;
    else pending--;
    s->state = CLOSED;
}

static void fail(struct stream *s) {
    if (s->state != CLOSED) failed++;
    close_stream(s);
}

static void connect_stream(struct stream *s) {
    struct sockaddr_in from = {.sin_family = AF_INET, .sin_port = 0}, to = from;
    int one = 1;
    inet_pton(AF_INET, options.source, &from.sin_addr);
    to.sin_port = htons((uint16_t)options.port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    s->kept = 0;
    memset(&s->frames, 0, offsetof(struct frames, heard));
    s->begun = now();
    s->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (s->fd < 0) {
        perror("socket");
        exit(1);
    }
    s->state = CONNECTING;
    pending++;
    /* The port is chosen when it is known where to: it need only be free towards there. */
    setsockopt(s->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
    struct epoll_event event = {.events = EPOLLOUT, .data.ptr = s};
    if (bind(s->fd, (struct sockaddr *)&from, sizeof from) ||
        (connect(s->fd, (struct sockaddr *)&to, sizeof to) && errno != EINPROGRESS) ||
        epoll_ctl(epoll, EPOLL_CTL_ADD, s->fd, &event)) {
        fail(s);
    }
}

static void ask(struct stream *s) {
    static char head[1 << 16];
    const char *request = requests[(s - streams) % request_count];
    const char *rest = strstr(request, "\r\n");
    int size = s->id[0] && rest
                   ? snprintf(head, sizeof head, "%.*s\r\nLast-Event-ID: %s%s",
                              (int)(rest - request), request, s->id, rest)
                   : snprintf(head, sizeof head, "%s", request);
    if (write(s->fd, head, (size_t)size) != size) {
        fail(s);
        return;
    }
    s->state = ASKED;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = s};
    epoll_ctl(epoll, EPOLL_CTL_MOD, s->fd, &event);
}

/* The last line of "id: ..." in what has come. */
static void keep_id(struct stream *s, const char *data, const char *end) {
    for (const char *at = end - 5; at >= data; at--) {
        if (*at != '\n' || memcmp(at, "\nid: ", 5)) continue;
        const char *begin = at + 5, *stop = memchr(begin, '\n', (size_t)(end - begin));
        if (!stop || stop - begin >= ID) continue;
        memcpy(s->id, begin, (size_t)(stop - begin));
        s->id[stop - begin] = 0;
        return;
    }
}

static void hear(void *who, const char *message) {
    printf("hear %ld %s\n", (struct stream *)who - streams, message);
    fflush(stdout);
}

static void open_if_ready(struct stream *s, const char *data, size_t size) {
    if (!memmem(data, size, options.ready, strlen(options.ready))) return;
    s->state = OPEN;
    pending--;
    opened++;
    note_delay(now() - s->begun);
}

/* Reads what is neither in the tail of before nor of the response's head. */
static int read_messages(struct stream *s, const char *fresh, size_t size) {
    if (!options.websocket) return 1;
    if (s->state == ASKED) {
        const char *body = memmem(fresh, size, "\r\n\r\n", 4);
        if (!body) return 1;
        s->state = GREETED;
        size -= (size_t)(body + 4 - fresh);
        fresh = body + 4;
    }
    return read_frames(&s->frames, s->fd, fresh, size, s->state == GREETED, hear, s);
}

static void receive(struct stream *s) {
    memcpy(buffer, s->tail, (size_t)s->kept);
    char *fresh = buffer + s->kept;
    ssize_t size = read(s->fd, fresh, CHUNK);
    if (size <= 0) {
        if (size == 0 || errno != EAGAIN) fail(s);
        return;
    }
    count_bytes((size_t)size);
    char *end = fresh + size;
    *end = 0;
    if (!read_messages(s, fresh, (size_t)size)) {
        fail(s);
        return;
    }
    if (s->state != OPEN) open_if_ready(s, buffer, (size_t)(end - buffer));
    if (!options.websocket) keep_id(s, buffer, end);
    size_t left = (size_t)(end - count_marks(buffer, (size_t)(end - buffer)));
    s->kept = left < TAIL ? (int)left : TAIL;
    memcpy(s->tail, end - s->kept, (size_t)s->kept);
}

void turn(int timeout) {
    struct epoll_event events[512];
    int found = epoll_wait(epoll, events, 512, timeout);
    for (int i = 0; i < found; i++) {
        struct stream *s = events[i].data.ptr;
        if (!s) read_input();
        else if (s->state == CONNECTING) ask(s);
        else if (s->state != CLOSED) receive(s);
    }
}

void say(int number, const char *text) {
    if (number < 0 || number >= count || streams[number].state != GREETED) return;
    if (!send_text(streams[number].fd, text)) fail(&streams[number]);
}

static void connect_all(int from, int to, int together, double seconds) {
    uint64_t end = now() + (uint64_t)(seconds * 1e9);
    failed = 0;
    while ((from < to || pending) && now() < end) {
        while (from < to && pending < together) connect_stream(&streams[from++]);
        turn(100);
    }
    for (int i = 0; i < count; i++) {
        if (streams[i].state != OPEN && streams[i].state != CLOSED) fail(&streams[i]);
    }
    failed += to - from;
}

void open_streams(int wanted, int together, double seconds) {
    int first = count;
    count = first + wanted < MOST ? first + wanted : MOST;
    connect_all(first, count, together, seconds);
}

void reopen_streams(int together, double seconds) {
    connect_all(0, count, together, seconds);
}

void drop_streams(void) {
    struct linger at_once = {1, 0};
    for (int i = 0; i < count; i++) {
        if (streams[i].state == CLOSED) continue;
        setsockopt(streams[i].fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
        close_stream(&streams[i]);
    }
}
