<?php

// What the tests of the middleware ask of a worker: it answers with what it was told, or with headers they need.

declare(strict_types=1);

require __DIR__ . '/../../../php/autoload.php';

use PyRoadRunner\Http\Request;
use PyRoadRunner\Http\Response;
use PyRoadRunner\Http\Server;

Server::run(static fn (Request $request): Response => match ($request->path()) {
    '/headers' => new Response(200, 'headers', $request->query['headers']),
    default => Response::json([
        'uri' => $request->uri,
        'remote' => $request->remoteAddr,
        'headers' => $request->headers,
        'attributes' => $request->attributes,
    ]),
});
