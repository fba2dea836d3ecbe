/* The limit: a server in plain C that does nothing but write an event to every stream.

   plain PORT

   GET opens a stream. POST has its body written to all streams, as one chunk of HTTP each, by one
   write; it is answered by 200 once that is done. One thread, epoll, no rights, no log, no channels.
*/
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ROOM = 1 << 20, MOST = 1 << 17 };

static int subscribers[MOST], subscriber_count, epoll;
static char buffer[ROOM], chunk[ROOM + 32];

static const char OPENED[] =
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\n"
    "Transfer-Encoding: chunked\r\n\r\n29\r\nevent: stream-open\nid: 1-abcdefgh\ndata:\n\n\r\n";
static const char DONE[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

static void leave(int fd) {
    for (int i = 0; i < subscriber_count; i++) {
        if (subscribers[i] == fd) {
            subscribers[i] = subscribers[--subscriber_count];
            break;
        }
    }
    close(fd);
}

static void publish(const char *body, size_t size) {
    int head = sprintf(chunk, "%zx\r\n", size);
    memcpy(chunk + head, body, size);
    memcpy(chunk + head + size, "\r\n", 2);
    size_t total = (size_t)head + size + 2;
    for (int i = 0; i < subscriber_count; i++) {
        if (write(subscribers[i], chunk, total) < 0 && errno != EAGAIN) leave(subscribers[i--]);
    }
}

static void serve(int fd) {
    ssize_t size = read(fd, buffer, ROOM - 1);
    if (size <= 0) {
        if (size == 0 || errno != EAGAIN) leave(fd);
        return;
    }
    buffer[size] = 0;
    char *body = strstr(buffer, "\r\n\r\n"), *length = strcasestr(buffer, "content-length:");
    if (!body) return;
    body += 4;
    if (buffer[0] == 'G') {
        if (write(fd, OPENED, sizeof OPENED - 1) > 0) subscribers[subscriber_count++] = fd;
        return;
    }
    size_t wanted = length ? strtoul(length + 15, NULL, 10) : 0;
    size_t have = (size_t)(buffer + size - body);
    while (have < wanted) {
        ssize_t more = recv(fd, body + have, wanted - have, MSG_WAITALL);
        if (more < 0 && errno == EAGAIN) continue;
        if (more <= 0) return;
        have += (size_t)more;
    }
    publish(body, wanted);
    if (write(fd, DONE, sizeof DONE - 1) < 0) leave(fd);
}

int main(int argc, char **argv) {
    if (argc != 2) return fprintf(stderr, "plain PORT\n"), 2;
    signal(SIGPIPE, SIG_IGN);
    int one = 1, listener = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[1]))};
    at.sin_addr.s_addr = htonl(INADDR_ANY);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(listener, (struct sockaddr *)&at, sizeof at) || listen(listener, 4096)) {
        perror("listen");
        return 1;
    }
    epoll = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = listener};
    epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event);
    for (;;) {
        struct epoll_event events[512];
        int found = epoll_wait(epoll, events, 512, -1);
        for (int i = 0; i < found; i++) {
            int fd = events[i].data.fd;
            if (fd != listener) {
                serve(fd);
                continue;
            }
            int client = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
            if (client < 0) continue;
            setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
            event.data.fd = client;
            epoll_ctl(epoll, EPOLL_CTL_ADD, client, &event);
        }
    }
}
