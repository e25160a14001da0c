#include "folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "fail.h"

const char *untrusted(const struct stat *status) {
    if (S_ISLNK(status->st_mode)) return "it is a symbolic link";
    if (!S_ISDIR(status->st_mode)) return "it is not a folder";
    if (status->st_uid != geteuid() && status->st_uid != 0) return "it belongs to another user";
    if (status->st_mode & (S_IWGRP | S_IWOTH)) return "other users may write to it";
    return NULL;
}

int hold_folder(const char *path) {
    for (;;) {
        int folder = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW); // not O_CLOEXEC, see the header
        if (folder < 0) {
            if (errno == ENOENT) return -1;
            fail(errno, "can't use %s", path);
        }
        // Some network file systems have no locks for folders: then nothing is held, and nothing is removed either.
        while (flock(folder, LOCK_SH) && errno == EINTR) continue;
        struct stat status;
        if (fstat(folder, &status)) fail(errno, "can't use %s", path);
        if (status.st_nlink == 0) { // another rr removed it before we got the lock
            close(folder);
            continue;
        }
        const char *why = untrusted(&status);
        if (why) fail(0, "can't use %s: %s", path, why);
        return folder;
    }
}

int remove_tree(int at, const char *name) {
    int folder = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (folder < 0) return unlinkat(at, name, 0);
    DIR *entries = fdopendir(folder);
    if (!entries) {
        close(folder);
        return -1;
    }
    struct dirent *entry;
    while ((entry = readdir(entries)))
        if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..") && unlinkat(folder, entry->d_name, 0))
            remove_tree(folder, entry->d_name);
    closedir(entries);
    return unlinkat(at, name, AT_REMOVEDIR);
}
