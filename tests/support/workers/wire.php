<?php

// An HTTP worker that decides what goes on the wire: sizes, pieces, interim responses, headers of the connection.

declare(strict_types=1);

require getenv('RR_PHP_LIBRARY') . '/autoload.php';

use PyRoadRunner\Http\HttpWorker;

function wait(string $file): void
{
    while (!file_exists($file)) {
        usleep(1000);
        clearstatcache();
    }
}

/** Pieces, each when its file appears; without a file at once. */
function pieces(int $count, int $size, string $gate): Generator
{
    for ($sent = 0; $sent < $count; ++$sent) {
        if ($gate !== '') {
            wait($gate . $sent);
        }
        yield str_repeat(chr(ord('a') + $sent % 26), $size);
    }
}

$worker = HttpWorker::create();
while ($request = $worker->waitRequest()) {
    $query = $request->query;
    match ($request->path()) {
        '/size' => $worker->respond(200, (string) strlen($request->body)),
        '/large' => $worker->respond(200, str_repeat('x', (int) $query['size'])),
        '/pieces' => $worker->respond(200, pieces((int) $query['count'], (int) $query['size'], $query['gate'] ?? '')),
        '/wait' => (static function () use ($worker, $query): void {
            wait($query['for']);
            $worker->respond(200, 'waited');
        })(),
        '/hints' => (static function () use ($worker, $query): void {
            $worker->respondEarlyHints(['Link' => '</a.css>; rel=preload']);
            wait($query['for']);
            $worker->respond(200, 'page');
        })(),
        '/connection' => $worker->respond(200, 'ok', [$query['name'] => $query['value']]),
        default => $worker->respond(200, $request->uri),
    };
}
