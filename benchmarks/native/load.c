/* Thousands of clients for almost no CPU: the other side of the benchmarks.

   load PORT SOURCE REQUESTS READY [websocket]

   Connects to PORT of this machine from the address SOURCE. REQUESTS is a file of heads of HTTP
   requests, separated by lines of "---", which the streams use in turn. A stream is open once READY
   has come, which is at most 64 bytes. With "websocket", frames follow the response's head: pings
   are answered, and messages that come before READY are printed, "hear STREAM MESSAGE", so that the
   caller may answer.

   Every event has "@@" and 19 digits in it: nanoseconds of the machine's monotonic clock, when it was
   made. Commands come line by line; each but "say" is answered by a line of JSON.

   open N TOGETHER SECONDS   opens N more streams, TOGETHER at most being opened at the same time
   reopen TOGETHER SECONDS   opens those that were dropped anew, from the last id that each has read
   count                     forgets what has come so far
   wait N SECONDS            until N events have come since, or for so long
   drop                      breaks all connections
   say STREAM MESSAGE        sends a text message
   quit
*/
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "figures.h"
#include "input.h"
#include "streams.h"

static char *contents(const char *path) {
    FILE *file = fopen(path, "rb");
    if (!file || fseek(file, 0, SEEK_END)) {
        perror(path);
        exit(2);
    }
    long size = ftell(file);
    rewind(file);
    char *text = malloc((size_t)size + 1);
    if (!text || fread(text, 1, (size_t)size, file) != (size_t)size) {
        perror(path);
        exit(2);
    }
    text[size] = 0;
    fclose(file);
    return text;
}

static void wait_for(uint64_t wanted, double seconds) {
    uint64_t end = now() + (uint64_t)(seconds * 1e9);
    while (marks_counted() < wanted && now() < end) turn(50);
}

static void obey(const char *command) {
    int n, together;
    uint64_t wanted, begin = now();
    double seconds;
    if (sscanf(command, "open %d %d %lf", &n, &together, &seconds) == 3) {
        start_counting();
        open_streams(n, together, seconds);
    } else if (sscanf(command, "reopen %d %lf", &together, &seconds) == 2) {
        start_counting();
        reopen_streams(together, seconds);
    } else if (sscanf(command, "wait %" SCNu64 " %lf", &wanted, &seconds) == 2) {
        wait_for(wanted, seconds);
    } else if (!strcmp(command, "count")) {
        start_counting();
    } else if (!strcmp(command, "drop")) {
        drop_streams();
    } else {
        exit(0);
    }
    print_report(streams_open(), streams_failed(), (double)(now() - begin) / 1e9);
}

int main(int argc, char **argv) {
    if (argc < 5) return fprintf(stderr, "load PORT SOURCE REQUESTS READY [websocket]\n"), 2;
    struct options options = {
        .port = atoi(argv[1]), .source = argv[2], .ready = argv[4], .websocket = argc > 5};
    signal(SIGPIPE, SIG_IGN);
    set_up(&options, contents(argv[3]));
    for (;;) {
        const char *command = next_command();
        if (command) obey(command);
        else turn(-1);
    }
}
