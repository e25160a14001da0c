<?php

// An HTTP worker with paths for the tests of the http plugin.

declare(strict_types=1);

require __DIR__ . '/../../../php/autoload.php';

use PyRoadRunner\Http\Request;
use PyRoadRunner\Http\Response;
use PyRoadRunner\Http\Server;

/** Large pieces of zeros. */
function chunks(int $count, int $size): Generator
{
    for ($i = 0; $i < $count; ++$i) {
        yield str_repeat("\0", $size);
    }
}

/** Pieces of 64 KB up to the size. */
function zeros(int $size): Generator
{
    $piece = str_repeat("\0", 65536);
    for ($sent = 0; $sent < $size; $sent += 65536) {
        yield $piece;
    }
}

/** Two pieces; between them the test must create the file. */
function gated(string $gate): Generator
{
    yield "data: first\n\n";
    while (!file_exists($gate)) {
        usleep(1000);
        clearstatcache();
    }
    yield "data: second\n\n";
}

/** One piece, then the process exits. */
function breaking(): Generator
{
    yield 'before';
    usleep(50_000);
    posix_kill(getmypid(), SIGKILL);
    yield 'never';
}

Server::run(static fn (Request $request): Response|string => match ($request->path()) {
    '/pid' => (string) getmypid(),
    '/upload' => Response::json(array_map(
        static fn ($file) => ['size' => $file->size, 'sha1' => sha1_file($file->tmpName), 'path' => $file->tmpName],
        $request->uploads,
    )),
    '/size' => (string) strlen($request->body),
    '/zeros' => new Response(body: zeros((int) $request->query['size'])),
    '/large' => str_repeat("\0", (int) $request->query['size']),
    '/chunks' => new Response(body: chunks((int) $request->query['count'], (int) $request->query['size'])),
    '/connection' => new Response(headers: [(string) $request->query['name'] => (string) $request->query['value']], body: 'ok'),
    '/breaking' => new Response(body: breaking()),
    '/slow' => (static function () use ($request): string {
        usleep((int) $request->query['ms'] * 1000);

        return (string) getmypid();
    })(),
    '/wait' => (static function () use ($request): string { // waits for a file, so the test decides when it ends
        while (!file_exists($request->query['for'])) {
            usleep(1000);
            clearstatcache();
        }

        return (string) getmypid();
    })(),
    '/who' => Response::json([
        'address' => $request->remoteAddr,
        'uri' => $request->uri,
        'protocol' => $request->protocol,
        'proto' => $request->header('X-Forwarded-Proto'),
        'method' => $request->method,
    ]),
    '/events' => new Response(
        headers: ['Content-Type' => 'text/event-stream', 'X-Accel-Buffering' => 'no'],
        body: gated($request->query['for']),
    ),
    '/stream' => new Response(headers: ['Content-Type' => 'text/plain'], body: gated($request->query['for'])),
    '/letters' => str_repeat('abcdefghijklmnop', (int) $request->query['size'] >> 4),
    '/missing' => Response::text('not here', 404),
    '/request' => Response::json([
        'address' => $request->remoteAddr,
        'uri' => $request->uri,
        'protocol' => $request->protocol,
        'method' => $request->method,
        'headers' => $request->headers,
        'query' => $request->query,
        'raw_query' => $request->rawQuery,
        'form' => $request->parsed,
        'body' => $request->body,
    ]),
    default => Response::json(['form' => $request->parsed, 'query' => $request->query]),
});
