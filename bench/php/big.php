<?php

declare(strict_types=1);

require __DIR__ . '/../../php/autoload.php';

use PyRoadRunner\Http\Request;
use PyRoadRunner\Http\Response;
use PyRoadRunner\Http\Server;

/** So many pieces of 256 KB. */
function pieces(int $count): Generator
{
    $piece = str_repeat('x', 1 << 18);
    for ($i = 0; $i < $count; ++$i) {
        yield $piece;
    }
}

// "/upload" tells the size of what was sent in the field "file", "/stream?pieces=N" sends N pieces of 256 KB.
Server::run(static fn (Request $request): Response|string => match ($request->path()) {
    '/upload' => (string) ($request->uploads['file']?->size ?? 0),
    '/stream' => new Response(body: pieces((int) $request->query['pieces'])),
    default => 'Hello world!',
});
