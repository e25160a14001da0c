<?php

declare(strict_types=1);

require getenv('RR_PHP_LIBRARY') . '/autoload.php';

use PyRoadRunner\Http\HttpWorker;
use PyRoadRunner\Http\Request;
use PyRoadRunner\Http\Response;
use PyRoadRunner\Http\Server;
use PyRoadRunner\Http\UploadedFile;

/** A stream: each piece reaches the client when it is yielded. */
function countdown(int $from): Generator
{
    for ($i = $from; $i > 0; --$i) {
        yield "{$i}\n";
    }
    yield "lift-off\n";
}

/** Name, size and checksum of an upload. */
function describe(UploadedFile $file): array
{
    return ['name' => $file->name, 'size' => $file->size, 'sha1' => sha1($file->contents())];
}

Server::run(static fn (Request $request, HttpWorker $http): Response|string => match ($request->path()) {
    '/' => "Hello, world!\n",
    '/json' => Response::json([
        'method' => $request->method,
        'query' => $request->query,
        'agent' => $request->header('user-agent'),
    ]),
    '/form' => Response::json($request->parsed),
    '/upload' => isset($request->uploads['file'])
        ? Response::json(describe($request->uploads['file']))
        : Response::text("send a file in the field \"file\"\n", 400),
    '/stream' => new Response(body: countdown((int) ($request->query['from'] ?? 10))),
    '/hints' => (static function () use ($http): string {
        $http->respondEarlyHints(['Link' => '</style.css>; rel=preload; as=style']);

        return "Hello after the hints!\n";
    })(),
    '/error' => throw new RuntimeException('this text is in the log of the server'),
    default => Response::text("not found\n", 404),
});
