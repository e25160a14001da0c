<?php

declare(strict_types=1);

require __DIR__ . '/../../php/autoload.php';

use PyRoadRunner\Http\Request;
use PyRoadRunner\Http\Server;

// One path waits 100 ms, as for a report; all others answer at once.
Server::run(static function (Request $request): string {
    if ($request->path() === '/slow') {
        usleep(100_000);
    }

    return 'Hello world!';
});
