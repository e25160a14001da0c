<?php

// A worker for the tests of the middleware: responds with the request that it received, or with headers for a test.

declare(strict_types=1);

require __DIR__ . '/../../../php/autoload.php';

use PyRoadRunner\Http\Request;
use PyRoadRunner\Http\Response;
use PyRoadRunner\Http\Server;

function pieces(): Generator
{
    yield 'one ';
    yield 'two';
}

Server::run(static fn (Request $request): Response => match ($request->path()) {
    '/sendfile' => new Response(404, 'ignored', ['X-Sendfile' => $request->query['file'], 'X-More' => '1']),
    '/sendfile/stream' => new Response(200, pieces(), ['X-Sendfile' => $request->query['file']]),
    '/stream' => new Response(200, pieces()),
    '/headers' => new Response(200, 'headers', $request->query['headers']),
    default => Response::json([
        'uri' => $request->uri,
        'remote' => $request->remoteAddr,
        'headers' => $request->headers,
        'attributes' => $request->attributes,
    ]),
});
