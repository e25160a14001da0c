<?php

declare(strict_types=1);

// The variables are those of the entry, and RR_SCHEDULE_ENTRY, RR_SCHEDULE_RUN, RR_SCHEDULE_TIME.
$keep = getenv('KEEP_DAYS');
echo "deleting files that are older than {$keep} days\n";
exit(0); // any other code is a failed run
