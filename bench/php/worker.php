<?php

declare(strict_types=1);

require __DIR__ . '/../../php/autoload.php';
require __DIR__ . '/work.php';

use PyRoadRunner\Http\Request;
use PyRoadRunner\Http\Response;
use PyRoadRunner\Http\Server;

Server::run(static fn (Request $request): Response|string => match ($path = $request->path()) {
    '/browser' => new Response(body: browser(count($request->cookies)), headers: browserHeaders()),
    default => answer($path, $request->body),
});
