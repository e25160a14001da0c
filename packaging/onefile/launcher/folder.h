// Folders: whom to trust, how to hold one, how to remove one.
#pragma once

#include <sys/stat.h>

// Why code from this folder must not be run: others than root and we ourselves may have put it there, or may change it.
// NULL = it is fine.
const char *untrusted(const struct stat *status);

// Lock a folder against removal by another rr (and by systemd-tmpfiles) for as long as the descriptor is open, which is
// inherited by the program that this process becomes. -1 = the folder does not exist.
int hold_folder(const char *path);

// Remove a folder with all that is in it, or a file. 0 = done.
int remove_tree(int at, const char *name);
