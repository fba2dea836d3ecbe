#include "input.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "streams.h"

enum { ROOM = 1 << 16, LINE = 256 };

static char text[ROOM + 1], command[LINE];
static size_t size;
static int waiting;

static void take(const char *line) {
    int number, at;
    if (sscanf(line, "say %d %n", &number, &at) == 1) {
        say(number, line + at);
        return;
    }
    snprintf(command, sizeof command, "%.255s", line);
    waiting = 1;
}

void read_input(void) {
    ssize_t more = read(STDIN_FILENO, text + size, ROOM - size);
    if (more <= 0) exit(0);
    size += (size_t)more;
    text[size] = 0;
    char *line = text, *end;
    while ((end = strchr(line, '\n'))) {
        *end = 0;
        take(line);
        line = end + 1;
    }
    size -= (size_t)(line - text);
    memmove(text, line, size);
}

const char *next_command(void) {
    if (!waiting) return NULL;
    waiting = 0;
    return command;
}
