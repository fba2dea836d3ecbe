/* Thousands of streams for almost no CPU: the client side of the fan-out benchmarks.

   load PORT REQUESTS READY [HELLO]

   REQUESTS is a file of HTTP request heads, separated by lines of "---"; the streams use them in
   turn. A stream is open once READY has come ("stream-open", "101"). If there is a file HELLO, its
   bytes are sent when the response's head has come: a WebSocket's first frames.

   Every event has somewhere in it "@@" and 19 digits: nanoseconds of the machine's monotonic clock
   when it was made. Commands come line by line on standard input, each is answered by a line of JSON:

   open N TOGETHER    opens N more streams, TOGETHER at most being opened at the same time
   count              forgets what has come so far
   wait N SECONDS     until N events have come since, or for so long
   drop               breaks all connections
   quit
*/
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MARK = 21, TAIL = 32, CHUNK = 1 << 16, PER_ADDRESS = 25000, MOST = 1 << 17 };
enum state { CLOSED, CONNECTING, ASKED, OPEN };

struct stream {
    int fd;
    enum state state;
    int greeted;
    uint64_t begun;
    int kept;
    char tail[TAIL];
};

static struct stream streams[MOST];
static int count, opened, failed, pending, epoll, port;
static char *requests[1 << 16];
static int request_count;
static const char *ready;
static char *hello;
static long hello_size;
static uint64_t marks, bytes;
static uint32_t *delays;
static size_t delay_count, delay_room;
static char buffer[TAIL + CHUNK + 1];

static uint64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static double cpu(void) {
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static void die(const char *what) {
    perror(what);
    exit(1);
}

static char *read_file(const char *path, long *size) {
    FILE *file = fopen(path, "rb");
    if (!file) die(path);
    fseek(file, 0, SEEK_END);
    *size = ftell(file);
    rewind(file);
    char *text = malloc((size_t)*size + 1);
    if (fread(text, 1, (size_t)*size, file) != (size_t)*size) die(path);
    text[*size] = 0;
    fclose(file);
    return text;
}

static void read_requests(const char *path) {
    long size;
    char *text = read_file(path, &size);
    for (char *next; text; text = next) {
        next = strstr(text, "---\n");
        if (next) {
            *next = 0;
            next += 4;
        }
        if (*text) requests[request_count++] = text;
    }
}

static void note_delay(uint64_t nanoseconds) {
    if (delay_count == delay_room) {
        delay_room = delay_room ? 2 * delay_room : 1 << 16;
        delays = realloc(delays, delay_room * sizeof *delays);
        if (!delays) die("realloc");
    }
    uint64_t microseconds = nanoseconds / 1000;
    delays[delay_count++] = microseconds > UINT32_MAX ? UINT32_MAX : (uint32_t)microseconds;
}

static int ascending(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static double percentile(double share) {
    size_t at = (size_t)((double)delay_count * share);
    return delay_count ? delays[at < delay_count ? at : delay_count - 1] / 1000.0 : 0;
}

static void report(double seconds) {
    qsort(delays, delay_count, sizeof *delays, ascending);
    printf("{\"open\": %d, \"failed\": %d, \"events\": %lu, \"bytes\": %lu, \"seconds\": %.6f, "
           "\"cpu\": %.3f, \"p50_ms\": %.3f, \"p99_ms\": %.3f, \"max_ms\": %.3f}\n",
           opened, failed, marks, bytes, seconds, cpu(), percentile(0.5), percentile(0.99),
           percentile(1));
    fflush(stdout);
}

static void start_counting(void) {
    marks = bytes = 0;
    delay_count = 0;
}

static void close_stream(struct stream *s, int reset) {
    struct linger at_once = {1, 0};
    if (s->state == CLOSED) return;
    if (reset) setsockopt(s->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    close(s->fd);
    if (s->state == OPEN) opened--;
    else pending--;
    if (!reset) failed++;
    s->state = CLOSED;
}

static void connect_stream(struct stream *s, int number) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK + (uint32_t)(number / PER_ADDRESS));
    memset(s, 0, sizeof *s);
    s->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (s->fd < 0) die("socket");
    s->state = CONNECTING;
    s->begun = now();
    pending++;
    if (connect(s->fd, (struct sockaddr *)&to, sizeof to) && errno != EINPROGRESS) {
        close_stream(s, 0);
        return;
    }
    struct epoll_event event = {.events = EPOLLOUT, .data.ptr = s};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, s->fd, &event)) die("epoll_ctl");
}

static void ask(struct stream *s) {
    const char *request = requests[(s - streams) % request_count];
    size_t size = strlen(request);
    if (write(s->fd, request, size) != (ssize_t)size) {
        close_stream(s, 0);
        return;
    }
    s->state = ASKED;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = s};
    epoll_ctl(epoll, EPOLL_CTL_MOD, s->fd, &event);
}

static void take(struct stream *s, char *data, size_t size) {
    data[size] = 0;
    if (s->state == ASKED) {
        if (hello && !s->greeted && memmem(data, size, "\r\n\r\n", 4)) {
            s->greeted = write(s->fd, hello, (size_t)hello_size) == hello_size;
        }
        if (memmem(data, size, ready, strlen(ready))) {
            s->state = OPEN;
            pending--;
            opened++;
            note_delay(now() - s->begun);
        }
    }
    char *end = data + size, *mark = data;
    uint64_t moment = now();
    char *last = data;
    while ((mark = memmem(mark, (size_t)(end - mark), "@@", 2)) && end - mark >= MARK) {
        marks++;
        note_delay(moment - strtoull(mark + 2, NULL, 10));
        last = mark += MARK;
    }
    size_t left = (size_t)(end - last);
    s->kept = left < TAIL ? (int)left : TAIL;
    memcpy(s->tail, end - s->kept, (size_t)s->kept);
}

static void receive(struct stream *s) {
    memcpy(buffer, s->tail, (size_t)s->kept);
    ssize_t size = read(s->fd, buffer + s->kept, CHUNK);
    if (size <= 0) {
        if (size == 0 || errno != EAGAIN) close_stream(s, 0);
        return;
    }
    bytes += (uint64_t)size;
    take(s, buffer, (size_t)(s->kept + size));
}

static int turn(int timeout) {
    struct epoll_event events[512];
    int found = epoll_wait(epoll, events, 512, timeout), commands = 0;
    for (int i = 0; i < found; i++) {
        struct stream *s = events[i].data.ptr;
        if (!s) commands = 1;
        else if (s->state == CONNECTING) ask(s);
        else if (s->state != CLOSED) receive(s);
    }
    return commands;
}

static void open_streams(int wanted, int together) {
    uint64_t begin = now();
    int first = count;
    start_counting();
    failed = 0;
    while (count < first + wanted || pending) {
        while (count < first + wanted && pending < together) {
            connect_stream(&streams[count], count);
            count++;
        }
        turn(1000);
    }
    report((double)(now() - begin) / 1e9);
}

static void wait_for(uint64_t wanted, double seconds) {
    uint64_t begin = now(), end = begin + (uint64_t)(seconds * 1e9);
    while (marks < wanted && now() < end) turn(50);
    report((double)(now() - begin) / 1e9);
}

static void obey(const char *line) {
    int n, together;
    uint64_t wanted;
    double seconds;
    if (sscanf(line, "open %d %d", &n, &together) == 2) {
        open_streams(n, together);
    } else if (sscanf(line, "wait %lu %lf", &wanted, &seconds) == 2) {
        wait_for(wanted, seconds);
    } else if (!strncmp(line, "count", 5)) {
        start_counting();
        report(0);
    } else if (!strncmp(line, "drop", 4)) {
        for (int i = 0; i < count; i++) close_stream(&streams[i], 1);
        count = 0;
        report(0);
    } else {
        exit(0);
    }
}

int main(int argc, char **argv) {
    if (argc < 4) return fprintf(stderr, "load PORT REQUESTS READY [HELLO]\n"), 2;
    port = atoi(argv[1]);
    read_requests(argv[2]);
    ready = argv[3];
    if (argc > 4) hello = read_file(argv[4], &hello_size);
    epoll = epoll_create1(0);
    struct epoll_event input = {.events = EPOLLIN, .data.ptr = NULL};
    epoll_ctl(epoll, EPOLL_CTL_ADD, STDIN_FILENO, &input);
    char line[256];
    for (;;) {
        while (!turn(-1)) {
        }
        /* One line a command: the caller waits for each answer. */
        ssize_t size = read(STDIN_FILENO, line, sizeof line - 1);
        if (size <= 0) return 0;
        line[size] = 0;
        obey(line);
    }
}
