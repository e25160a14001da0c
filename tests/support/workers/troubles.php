<?php

/** Goes wrong in the ways that the page on troubleshooting shows. */

declare(strict_types=1);

require getenv('RR_PHP_LIBRARY') . '/autoload.php';

use PyRoadRunner\Http\Request;
use PyRoadRunner\Http\Server;

final class Kept
{
    /** @var list<string> */
    public static array $all = [];
}

function spin(): never
{
    set_time_limit(1);
    while (true);
}

Server::run(static fn (Request $request): string => match ($request->path()) {
    '/throw' => throw new RuntimeException('no such customer: 7'),
    '/exit' => exit(0),
    '/print' => (string) fwrite(STDOUT, "array(2) {\n  [0]=> int(1)\n}\n"),
    '/memory' => str_repeat('x', 1 << 30),
    '/cpu' => spin(),
    '/segfault' => (string) posix_kill(getmypid(), 11), // SIGSEGV
    '/oom' => (string) posix_kill(getmypid(), 9), // SIGKILL
    '/import' => (string) sleep(1),
    '/reports/all' => (string) sleep(3),
    '/endless' => (string) sleep(60),
    '/leak' => (string) array_push(Kept::$all, str_repeat('x', 80 << 20)),
    default => 'fine',
});
