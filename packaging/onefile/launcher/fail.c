#include "fail.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void (*undo_first)(void);

void on_failure(void (*undo)(void)) {
    undo_first = undo;
}

void fail(int wrong, const char *format, ...) {
    va_list words;
    va_start(words, format);
    fputs("rr: ", stderr);
    vfprintf(stderr, format, words);
    va_end(words);
    if (wrong) fprintf(stderr, ": %s", strerror(wrong));
    fputc('\n', stderr);
    if (undo_first) undo_first();
    exit(1);
}
