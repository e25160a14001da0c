<?php

declare(strict_types=1);

require __DIR__ . '/../../php/autoload.php';

use PyRoadRunner\Http\Request;
use PyRoadRunner\Http\Server;

// Waits 20 ms for each request, as for a database: two workers do 100 requests a second.
Server::run(static function (Request $request): string {
    usleep(20_000);

    return 'Hello world!';
});
