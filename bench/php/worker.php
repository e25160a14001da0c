<?php

declare(strict_types=1);

require __DIR__ . '/../../php/autoload.php';
require __DIR__ . '/work.php';

use PyRoadRunner\Http\Request;
use PyRoadRunner\Http\Server;

Server::run(static fn (Request $request): string => answer($request->path(), $request->body));
