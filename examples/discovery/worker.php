<?php

declare(strict_types=1);

require getenv('RR_PHP_LIBRARY') . '/autoload.php';

use PyRoadRunner\Http\Request;
use PyRoadRunner\Http\Server;

Server::run(static fn (Request $request): string => "Hello, world!\n");
