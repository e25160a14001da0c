// Ends the process with one sentence on stderr and exit code 1.
#pragma once

// `wrong` is an errno; 0 = the sentence says it all.
_Noreturn void fail(int wrong, const char *format, ...) __attribute__((format(printf, 2, 3)));

// What is to be done before the process ends by fail(); NULL = nothing. There is one at a time.
void on_failure(void (*undo)(void));
