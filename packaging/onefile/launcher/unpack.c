// The order matters: one process holds `.lock`; it writes to `.part-DIGEST`, syncs, and renames that to DIGEST. What was
// left by a process that was killed is removed first. The same names are used for removal, so that a folder named by a
// digest is always whole.
#include "unpack.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "archive.h"
#include "fail.h"
#include "folder.h"
#include "stream.h"

static const char PART[] = ".part-";
static char part[4300];

static void remove_part(void) {
    remove_tree(AT_FDCWD, part);
}

static int lock(const char *place) {
    char path[4200];
    snprintf(path, sizeof path, "%s/.lock", place);
    int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (file < 0) fail(errno, "can't create %s", path);
    while (flock(file, LOCK_EX))
        if (errno != EINTR) fail(errno, "can't lock %s", path);
    return file;
}

static int is_part(const char *name) {
    return !strncmp(name, PART, sizeof PART - 1);
}

static int is_other_version(const char *name, const char *digest) {
    return strlen(name) == DIGEST_LENGTH && strspn(name, "0123456789abcdef") == DIGEST_LENGTH && strcmp(name, digest);
}

static void remove_version(int place, const char *name) {
    int folder = openat(place, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (folder < 0) return;
    char doomed[sizeof PART + DIGEST_LENGTH];
    snprintf(doomed, sizeof doomed, "%s%.40s", PART, name);
    if (!flock(folder, LOCK_EX | LOCK_NB) && !renameat(place, name, place, doomed)) remove_tree(place, doomed);
    close(folder);
}

static void sweep(const char *place, const char *digest) {
    DIR *entries = opendir(place);
    if (!entries) return;
    struct dirent *entry;
    while ((entry = readdir(entries))) {
        if (is_part(entry->d_name))
            remove_tree(dirfd(entries), entry->d_name);
        else if (is_other_version(entry->d_name, digest))
            remove_version(dirfd(entries), entry->d_name);
    }
    closedir(entries);
}

static void write_part(const struct payload *payload) {
    remove_part();
    if (mkdir(part, 0755)) fail(errno, "can't create %s", part);
    int folder = open(part, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (folder < 0) fail(errno, "can't create %s", part);
    open_stream(payload->data, payload->length);
    extract(folder, part);
    end_stream();
    if (syncfs(folder)) fail(errno, "can't write %s", part);
    close(folder);
}

void unpack(const struct payload *payload, const char *place) {
    int locked = lock(place);
    char home[4200];
    struct stat status;
    snprintf(home, sizeof home, "%s/%s", place, payload->digest);
    if (lstat(home, &status)) { // else another process has unpacked it meanwhile
        snprintf(part, sizeof part, "%s/%s%s", place, PART, payload->digest);
        on_failure(remove_part);
        void (*limit)(int) = signal(SIGXFSZ, SIG_IGN); // a limit on the size of files is an error like a full disk
        write_part(payload);
        signal(SIGXFSZ, limit);
        if (rename(part, home)) fail(errno, "can't rename %s", part);
        on_failure(NULL);
        sweep(place, payload->digest);
    }
    close(locked);
}
