// Where the archive lies in this executable. The file is: the launcher, the archive, and a footer of 64 bytes: "RRONEFL1",
// offset and length of the archive (64 bits each, little endian), the first 40 hex digits of its SHA-256.
// packaging/onefile/pack.py writes it.
#pragma once

#include <stddef.h>

enum { DIGEST_LENGTH = 40 };

struct payload {
    const unsigned char *data; // the zstd frame, mapped
    size_t length;
    char digest[DIGEST_LENGTH + 1]; // the name of the unpacked folder
    char file[4096];                // path of this executable
};

// Ends the process if the file is not whole.
void find_payload(struct payload *payload);
