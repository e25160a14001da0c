<?php

declare(strict_types=1);

require getenv('RR_PHP_LIBRARY') . '/autoload.php';

use PyRoadRunner\Http\Request;
use PyRoadRunner\Http\Response;
use PyRoadRunner\Http\Server;
use PyRoadRunner\Mercure\Mercure;

$hub = Mercure::create();
$page = file_get_contents(__DIR__ . '/prices.html');

Server::run(static function (Request $request) use ($hub, $page): Response|string {
    if ($request->method === 'POST' && preg_match('#^/books/([1-3])$#', $request->path(), $found)) {
        $price = ['book' => (int) $found[1], 'price' => random_int(500, 2999) / 100];

        return $hub->publish("https://example.com/books/$found[1]", json_encode($price, JSON_THROW_ON_ERROR));
    }

    return new Response(200, $page, ['Content-Type' => 'text/html; charset=utf-8']);
});
