// Unpacks the archive once, however many processes start at the same time, and however one of them ends.
#pragma once

#include "payload.h"

// Create `place`/DIGEST. It appears whole or not at all. Then remove the folders of other versions that no process holds.
void unpack(const struct payload *payload, const char *place);
