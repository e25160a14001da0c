<?php

// Responds with the request that it received.

declare(strict_types=1);

require __DIR__ . '/../../../php/autoload.php';

use PyRoadRunner\Http\Request;
use PyRoadRunner\Http\Response;
use PyRoadRunner\Http\Server;

Server::run(static function (Request $request): Response {
    if (isset($request->query['ms'])) {
        usleep((int) $request->query['ms'] * 1000);
    }

    return Response::json([
        'uri' => $request->uri,
        'protocol' => $request->protocol,
        'method' => $request->method,
        'remote' => $request->remoteAddr,
        'headers' => $request->headers,
        'attributes' => $request->attributes,
        'body' => $request->body,
        'parsed' => $request->parsed,
    ]);
});
