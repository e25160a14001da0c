#include "place.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "fail.h"
#include "folder.h"

enum {
    FOR_OTHERS_TO_READ = 0755,
    PRIVATE = 0700, // of folders that are not ours alone (XDG Base Directory Specification)
};

static int has_unpacked(const char *place, const char *digest) {
    char folder[4200];
    struct stat status;
    snprintf(folder, sizeof folder, "%s/%s", place, digest);
    return !lstat(folder, &status);
}

// Why the folder is not usable; NULL = it is. A folder that we can't write will do if the archive is unpacked there: an
// image of a container has it from its build.
static const char *fault_of(const char *place, const char *digest) {
    struct stat status;
    struct statvfs mount;
    if (lstat(place, &status)) return strerror(errno);
    const char *why = untrusted(&status);
    if (why) return why;
    if (statvfs(place, &mount)) return strerror(errno);
    if (mount.f_flag & ST_NOEXEC) return "it is mounted noexec";
    if (!access(place, W_OK | X_OK)) return NULL;
    int wrong = errno;
    return has_unpacked(place, digest) ? NULL : strerror(wrong);
}

static const char *make_usable(const char *place, const char *digest) {
    if (mkdir(place, FOR_OTHERS_TO_READ) && errno != EEXIST && access(place, F_OK)) return strerror(errno);
    return fault_of(place, digest);
}

static char refusals[4096]; // one line for each place that was tried

static int usable(const char *digest, char *place, size_t size, const char *format, ...) __attribute__((format(printf, 4, 5)));

static int usable(const char *digest, char *place, size_t size, const char *format, ...) {
    va_list words;
    va_start(words, format);
    int length = vsnprintf(place, size, format, words);
    va_end(words);
    const char *why = length < 0 || (size_t)length >= size ? "the path is too long" : make_usable(place, digest);
    if (!why) return 1;
    size_t said = strlen(refusals);
    snprintf(refusals + said, sizeof refusals - said, "\n  %s: %s", place, why);
    return 0;
}

static const char *absolute(const char *name) {
    const char *value = getenv(name);
    return value && value[0] == '/' && value[1] ? value : NULL;
}

static int in_home(const char *digest, char *place, size_t size) {
    const char *home = absolute("HOME");
    char parent[4096];
    if (!home || snprintf(parent, sizeof parent, "%s/.cache", home) >= (int)sizeof parent) return 0;
    mkdir(parent, PRIVATE);
    return usable(digest, place, size, "%s/pyroadrunner", parent);
}

static int in_cache(const char *digest, char *place, size_t size) {
    const char *cache = absolute("XDG_CACHE_HOME");
    if (cache) {
        mkdir(cache, PRIVATE);
        if (usable(digest, place, size, "%s/pyroadrunner", cache)) return 1;
    }
    // The home of root is closed to other users, but workers that run as another user load the PHP library.
    return geteuid() ? in_home(digest, place, size) : usable(digest, place, size, "/var/cache/pyroadrunner");
}

static int in_temporary(const char *digest, char *place, size_t size) {
    const char *folders[] = {absolute("TMPDIR"), "/tmp", "/var/tmp", "/dev/shm"};
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
        if (folders[i] && usable(digest, place, size, "%s/pyroadrunner-%u", folders[i], (unsigned)geteuid())) return 1;
    return 0;
}

void use_place(const char *path, const char *digest) {
    const char *why = make_usable(path, digest);
    if (why) fail(0, "can't unpack to %s: %s", path, why);
}

void choose_place(const char *digest, char *place, size_t size) {
    const char *wanted = getenv("RR_UNPACK");
    if (wanted && *wanted) {
        const char *why = wanted[0] != '/' ? "it is not an absolute path" : make_usable(wanted, digest);
        if (why) fail(0, "can't unpack to RR_UNPACK=%s: %s", wanted, why);
        if (snprintf(place, size, "%s", wanted) >= (int)size) fail(0, "RR_UNPACK: the path is too long");
        return;
    }
    if (in_cache(digest, place, size) || in_temporary(digest, place, size)) return;
    fail(0,
         "there is no folder to unpack to:%s\nset RR_UNPACK to a folder of your own that no other user may write"
         " and that is not mounted noexec",
         refusals);
}
