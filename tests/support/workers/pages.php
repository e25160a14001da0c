<?php

// Pages for the tests of compression: large and small ones, streams that wait for a file before they continue.

declare(strict_types=1);

require __DIR__ . '/../../../php/autoload.php';

use PyRoadRunner\Http\Request;
use PyRoadRunner\Http\Response;
use PyRoadRunner\Http\Server;

/** Two events; between them the test must create the file. */
function events(string $gate): Generator
{
    yield "data: first\n\n";
    while (!file_exists($gate)) {
        usleep(1000);
        clearstatcache();
    }
    yield "data: second\n\n";
}

/** Events until the client disconnects. */
function endless(): Generator
{
    for ($i = 0; ; $i++) {
        yield str_repeat("data: $i\n\n", 100);
    }
}

$html = ['Content-Type' => 'text/html'];
$sse = ['Content-Type' => 'text/event-stream'];
Server::run(static fn (Request $request): Response|string => match ($request->path()) {
    '/page' => new Response(200, str_repeat('<p>a line of the page</p>', 1000), $html + ['ETag' => '"v1"']),
    '/large' => new Response(200, str_repeat('<p>a line of the page</p>', 200_000), $html),
    '/small' => new Response(200, 'small', $html),
    '/own' => new Response(200, gzencode(str_repeat('packed ', 1000)), $html + ['Content-Encoding' => 'gzip']),
    '/events' => new Response(200, events($request->query['gate']), $sse),
    '/endless' => new Response(200, endless(), $sse),
    default => new Response(404, str_repeat('not found ', 1000), $html),
});
