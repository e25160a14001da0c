#include "payload.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fail.h"

static const char MAGIC[8] = "RRONEFL1";

struct footer {
    char magic[8];
    uint64_t offset;
    uint64_t length;
    char digest[DIGEST_LENGTH];
};
_Static_assert(sizeof(struct footer) == 64, "the footer has no gaps");

// Without /proc (a bare chroot) the kernel still says which path was executed.
static void find_file(char *file, size_t size) {
    ssize_t length = readlink("/proc/self/exe", file, size - 1);
    if (length > 0) {
        file[length] = 0;
        return;
    }
    const char *executed = (const char *)getauxval(AT_EXECFN);
    char *whole = executed ? realpath(executed, NULL) : NULL;
    if (!whole || strlen(whole) >= size) fail(errno, "can't find the path of this executable; is /proc mounted?");
    strcpy(file, whole);
    free(whole);
}

static int is_digest(const char *digest) {
    for (int i = 0; i < DIGEST_LENGTH; i++)
        if (!strchr("0123456789abcdef", digest[i]) || !digest[i]) return 0;
    return 1;
}

void find_payload(struct payload *payload) {
    find_file(payload->file, sizeof payload->file);
    int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    if (file < 0) file = open(payload->file, O_RDONLY | O_CLOEXEC);
    if (file < 0) fail(errno, "can't read %s", payload->file);

    struct footer footer;
    struct stat status;
    if (fstat(file, &status)) fail(errno, "can't read %s", payload->file);
    off_t end = status.st_size - (off_t)sizeof footer;
    if (end < 0 || pread(file, &footer, sizeof footer, end) != sizeof footer || memcmp(footer.magic, MAGIC, sizeof MAGIC) ||
        !is_digest(footer.digest) || footer.offset > (uint64_t)end || footer.length != (uint64_t)end - footer.offset)
        fail(0, "%s is not complete: please download it again", payload->file);

    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), from = footer.offset / page * page;
    size_t before = footer.offset - from;
    unsigned char *mapped = mmap(NULL, footer.length + before, PROT_READ, MAP_PRIVATE, file, (off_t)from);
    if (mapped == MAP_FAILED) fail(errno, "can't read %s", payload->file);
    close(file);
    payload->data = mapped + before;
    payload->length = footer.length;
    memcpy(payload->digest, footer.digest, DIGEST_LENGTH);
    payload->digest[DIGEST_LENGTH] = 0;
}
