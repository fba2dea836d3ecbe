/* Commands, line by line, from standard input. */
#ifndef INPUT_H
#define INPUT_H

/* Takes what there is to read: carries out each "say", and keeps what else there is. */
void read_input(void);

/* The next command that is kept, or NULL; valid until the next call. */
const char *next_command(void);

#endif
