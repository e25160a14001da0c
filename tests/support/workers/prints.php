<?php

// An HTTP worker whose paths print to stdout.

declare(strict_types=1);

require __DIR__ . '/../../../php/autoload.php';

use PyRoadRunner\Http\Request;
use PyRoadRunner\Http\Server;

$printed = $argv[1] ?? ''; // 'raw': like workers whose `echo` goes directly to stdout
Server::run(static function (Request $request) use ($printed): string {
    while ($printed === 'raw' && ob_get_level() > 0) {
        ob_end_flush();
    }
    switch ($request->path()) {
        case '/echo': echo '<b>forgotten</b>'; return 'answer';
        case '/var_dump': var_dump(['first' => 1, 'last' => str_repeat('x', 20_000)]); return 'answer';
        case '/dd': print_r(['one', 'two']); fwrite(STDERR, "on stderr\n"); exit(1);
        case '/slow': echo 'first'; usleep(50_000); echo 'second'; return 'answer';
        default: return 'fine';
    }
});
