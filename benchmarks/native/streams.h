/* Thousands of connections, each of which asks for a stream and reads it. */
#ifndef STREAMS_H
#define STREAMS_H

struct options {
    int port;
    const char *source; /* the address that connections are made from */
    const char *ready;  /* what has come once a stream is open */
    int websocket;      /* what follows the response's head is frames */
};

/* `requests` are heads of HTTP requests, separated by lines of "---"; streams use them in turn. */
void set_up(const struct options *options, char *requests);

/* Opens more streams, at most `together` at the same time; gives up after `seconds`. */
void open_streams(int wanted, int together, double seconds);

/* Breaks all connections at once. */
void drop_streams(void);

/* Opens the streams that were dropped anew, each from the last id that it has read. */
void reopen_streams(int together, double seconds);

/* Sends a text message by a WebSocket. */
void say(int number, const char *text);

/* Waits for something to happen, `timeout` milliseconds at most, -1 for ever. */
void turn(int timeout);

int streams_open(void);
int streams_failed(void);

#endif
