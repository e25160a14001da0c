<?php

// Tells the time every second, five times; then it ends, and rr starts it again.

declare(strict_types=1);

for ($i = 0; $i < 5; $i++) {
    echo date('H:i:s'), "\n";
    sleep(1);
}
