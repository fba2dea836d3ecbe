#define _GNU_SOURCE
#include "figures.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

/* Delays are counted in buckets, each at most 1/128 wider than the delay: in memory that does not
   grow, and in time that no sorting takes. */
enum { FINE_BITS = 7, FINE = 1 << FINE_BITS, BUCKETS = (40 - FINE_BITS) * FINE };

static uint64_t buckets[BUCKETS], delays, longest, marks, bytes, last;

uint64_t now(void) {
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

static size_t bucket(uint64_t microseconds) {
    if (microseconds < FINE) return microseconds;
    int shift = 63 - __builtin_clzll(microseconds) - FINE_BITS;
    size_t found = (size_t)(shift + 1) * FINE + (size_t)((microseconds >> shift) - FINE);
    return found < BUCKETS ? found : BUCKETS - 1;
}

static double milliseconds(size_t found) {
    if (found < FINE) return (double)found / 1000;
    size_t shift = found / FINE - 1;
    return (double)((found % FINE + FINE) << shift) / 1000;
}

static double percentile(double share) {
    uint64_t wanted = (uint64_t)((double)delays * share), seen = 0;
    for (size_t i = 0; i < BUCKETS; i++) {
        seen += buckets[i];
        if (seen > wanted) return milliseconds(i);
    }
    return (double)longest / 1e6;
}

void count_bytes(size_t size) {
    bytes += size;
}

void note_delay(uint64_t nanoseconds) {
    buckets[bucket(nanoseconds / 1000)]++;
    delays++;
    if (nanoseconds > longest) longest = nanoseconds;
}

const char *count_marks(const char *text, size_t size) {
    const char *end = text + size, *left = text, *mark = text;
    uint64_t moment = now();
    while ((mark = memmem(mark, (size_t)(end - mark), "@@", 2)) && end - mark >= MARK) {
        marks++;
        last = moment;
        note_delay(moment - strtoull(mark + 2, NULL, 10));
        left = mark += MARK;
    }
    return left;
}

uint64_t marks_counted(void) {
    return marks;
}

void start_counting(void) {
    memset(buckets, 0, sizeof buckets);
    delays = longest = marks = bytes = last = 0;
}

void print_report(int open, int failed, double seconds) {
    printf("{\"open\": %d, \"failed\": %d, \"events\": %lu, \"bytes\": %lu, \"seconds\": %.6f, "
           "\"cpu\": %.3f, \"p50_ms\": %.3f, \"p99_ms\": %.3f, \"max_ms\": %.3f, \"last\": %.9f}\n",
           open, failed, marks, bytes, seconds, cpu(), percentile(0.5), percentile(0.99),
           (double)longest / 1e6, (double)last / 1e9);
    fflush(stdout);
}
