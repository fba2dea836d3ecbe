/* What the load client has seen: how many events and bytes, and how long they took. */
#ifndef FIGURES_H
#define FIGURES_H

#include <stddef.h>
#include <stdint.h>

enum { MARK = 21 };

/* Nanoseconds of the machine's monotonic clock, which all of its processes share. */
uint64_t now(void);

void count_bytes(size_t size);
void note_delay(uint64_t nanoseconds);

/* Counts the marks of a piece of text: "@@" and 19 digits, nanoseconds of when an event was made.
   Answers what follows the last one. */
const char *count_marks(const char *text, size_t size);

uint64_t marks_counted(void);
void start_counting(void);
void print_report(int open, int failed, double seconds);

#endif
