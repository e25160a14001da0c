// The archive, decompressed piece by piece: the memory this needs does not depend on the size of the archive.
#pragma once

#include <stddef.h>

void open_stream(const void *data, size_t length);

// Read exactly `length` bytes. Ends the process if the data is damaged.
void read_stream(void *to, size_t length);

// Read to the end, where the checksum is.
void end_stream(void);
