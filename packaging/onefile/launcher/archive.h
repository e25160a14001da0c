// Reads the archive: ustar with files, folders and symbolic links.
#pragma once

// Write all entries below the folder with this descriptor. Ends the process if one can't be written.
void extract(int folder, const char *folder_path);
