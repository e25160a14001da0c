// The start of the one file: it unpacks CPython and pyroadrunner at the first start, and becomes that interpreter, as the
// same process. From then on everything is as in any other installation.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fail.h"
#include "folder.h"
#include "payload.h"
#include "place.h"
#include "unpack.h"

// Started with stdin, stdout or stderr closed, a file that is opened here must not take their numbers.
static void occupy_standard(void) {
    for (int fd = 0; fd < 3; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) != fd) fail(0, "can't open /dev/null");
}

static void become(const struct payload *payload, const char *home, int argc, char **argv) {
    char program[4300];
    char *first[] = {program, "-I", "-m", "pyroadrunner.cli"};
    size_t count = sizeof first / sizeof *first;
    snprintf(program, sizeof program, "%s/bin/rr", home);
    char **arguments = calloc(count + (size_t)argc + 1, sizeof *arguments);
    if (!arguments || setenv("RR_ONEFILE", payload->file, 1)) fail(errno, "can't start %s", program);
    memcpy(arguments, first, sizeof first);
    if (argc > 1) memcpy(arguments + count, argv + 1, (size_t)(argc - 1) * sizeof *argv);
    execv(program, arguments);
    fail(errno, "can't start %s", program);
}

// For images: readable for every user, so that the server needs no folder of its own. Runs with RR_UNPACK=FOLDER.
static int unpack_for_all(const struct payload *payload, int argc, char **argv) {
    if (argc != 3) fail(0, "name a folder: rr --unpack FOLDER");
    char *place = argv[2];
    umask(022);
    if (mkdir(place, 0755) && errno != EEXIST) fail(errno, "can't create %s", place);
    use_place(place, payload->digest);
    unpack(payload, place);
    char *whole = realpath(place, NULL);
    printf("unpacked to %s/%s; start with RR_UNPACK=%s\n", place, payload->digest, whole ? whole : place);
    return fflush(stdout) ? 1 : 0;
}

int main(int argc, char **argv) {
    static struct payload payload;
    static char place[4096], home[4200];
    occupy_standard();
    find_payload(&payload);
    if (argc > 1 && !strcmp(argv[1], "--unpack")) return unpack_for_all(&payload, argc, argv);

    choose_place(payload.digest, place, sizeof place);
    snprintf(home, sizeof home, "%s/%s", place, payload.digest);
    while (hold_folder(home) < 0) { // again if it was removed between the two
        mode_t mask = umask(022);
        unpack(&payload, place);
        umask(mask);
    }
    become(&payload, home, argc, argv);
}
