// Chooses the folder in which the archive is unpacked: one that belongs to us or to root, that no other user may write, on a
// file system that executes programs.
#pragma once

#include "payload.h"

// Write the path to `place`: the value of RR_UNPACK, or else the first usable one of $XDG_CACHE_HOME/pyroadrunner,
// ~/.cache/pyroadrunner (for root /var/cache/pyroadrunner), and pyroadrunner-UID in $TMPDIR, /tmp, /var/tmp, /dev/shm.
// It is created if it does not exist. Ends the process, with the reasons, if none is usable.
void choose_place(const char *digest, char *place, size_t size);

// The same for a folder named on the command line (--unpack).
void use_place(const char *path, const char *digest);
