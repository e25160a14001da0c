#include "archive.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fail.h"
#include "stream.h"

enum { BLOCK = 512 };

// POSIX.1-1988 ustar, as far as it is used.
struct header {
    char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], checksum[8], type, link[100], magic[6], version[2],
        user[32], group[32], major[8], minor[8], prefix[155], unused[12];
};
_Static_assert(sizeof(struct header) == BLOCK, "a header is one block");

static char buffer[1 << 18];

static uint64_t octal(const char *field, size_t size) {
    char digits[16] = {0};
    memcpy(digits, field, size);
    return strtoull(digits, NULL, 8);
}

static void name_of(const struct header *header, char *name, size_t size) {
    if (header->prefix[0])
        snprintf(name, size, "%.155s/%.100s", header->prefix, header->name);
    else
        snprintf(name, size, "%.100s", header->name);
}

static int leaves_the_folder(const char *name) {
    if (name[0] == '/' || !name[0]) return 1;
    for (const char *part = name; part; part = strchr(part, '/')) {
        part += *part == '/';
        if (!strncmp(part, "..", 2) && (part[2] == '/' || !part[2])) return 1;
    }
    return 0;
}

static int write_all(int file, const char *data, size_t length) {
    while (length) {
        ssize_t written = write(file, data, length);
        if (written < 0 && errno != EINTR) return -1;
        if (written > 0) data += written, length -= (size_t)written;
    }
    return 0;
}

static void extract_file(int folder, const char *name, uint64_t size, mode_t mode, const char *folder_path) {
    int file = openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode & 0755);
    if (file < 0) fail(errno, "can't create %s/%s", folder_path, name);
    uint64_t padded = (size + BLOCK - 1) / BLOCK * BLOCK;
    while (padded) {
        size_t piece = padded < sizeof buffer ? padded : sizeof buffer, wanted = size < piece ? size : piece;
        read_stream(buffer, piece);
        if (write_all(file, buffer, wanted)) fail(errno, "can't write %s/%s", folder_path, name);
        size -= wanted;
        padded -= piece;
    }
    if (close(file)) fail(errno, "can't write %s/%s", folder_path, name);
}

void extract(int folder, const char *folder_path) {
    struct header header;
    char name[300], target[101];
    for (;;) {
        read_stream(&header, sizeof header);
        if (!header.name[0]) break; // the end: two blocks of zeros
        name_of(&header, name, sizeof name);
        if (leaves_the_folder(name)) fail(0, "the archive in this file is damaged: entry %s", name);
        switch (header.type) {
        case '5':
            if (mkdirat(folder, name, 0755)) fail(errno, "can't create %s/%s", folder_path, name);
            break;
        case '2':
            snprintf(target, sizeof target, "%.100s", header.link);
            if (symlinkat(target, folder, name)) fail(errno, "can't create %s/%s", folder_path, name);
            break;
        case '0':
            extract_file(folder, name, octal(header.size, sizeof header.size),
                         (mode_t)octal(header.mode, sizeof header.mode), folder_path);
            break;
        default:
            fail(0, "the archive in this file is damaged: entry %s has type %c", name, header.type);
        }
    }
}
