<?php

// Prints the time every second, five times, and exits; rr then starts it again.

declare(strict_types=1);

for ($i = 0; $i < 5; $i++) {
    echo date('H:i:s'), "\n";
    sleep(1);
}
