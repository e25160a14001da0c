#include "stream.h"

#include <zstd.h>

#include "fail.h"

static ZSTD_DStream *decoder;
static ZSTD_inBuffer input;
static size_t expected; // 0 = the frame has ended

static void decode(ZSTD_outBuffer *output) {
    size_t before = output->pos, consumed = input.pos;
    expected = ZSTD_decompressStream(decoder, output, &input);
    if (ZSTD_isError(expected) || (output->pos == before && input.pos == consumed && expected))
        fail(0, "the archive in this file is damaged: please download it again");
}

void open_stream(const void *data, size_t length) {
    decoder = ZSTD_createDStream();
    if (!decoder) fail(0, "not enough memory");
    input = (ZSTD_inBuffer){data, length, 0};
    expected = 1;
}

void read_stream(void *to, size_t length) {
    ZSTD_outBuffer output = {to, length, 0};
    while (output.pos < length) {
        if (!expected) fail(0, "the archive in this file is damaged: it ends too early");
        decode(&output);
    }
}

void end_stream(void) {
    char rest[4096];
    while (expected) {
        ZSTD_outBuffer output = {rest, sizeof rest, 0};
        decode(&output);
    }
    ZSTD_freeDStream(decoder);
}
