<?php

declare(strict_types=1);

require getenv('RR_PHP_LIBRARY') . '/autoload.php';

use PyRoadRunner\Http\Request;
use PyRoadRunner\Http\Response;
use PyRoadRunner\Http\Server;

$page = file_get_contents(__DIR__ . '/page.html');

Server::run(static function (Request $request) use ($page): Response {
    if (isset($request->attributes['ws:joinServer'])) {
        return new Response(200); // everyone may connect
    }
    if (isset($request->attributes['ws:joinTopics'])) {
        $topics = explode(',', $request->attributes['ws:joinTopics']);

        return new Response($topics === ['news'] ? 200 : 403);
    }

    return new Response(200, $page, ['Content-Type' => 'text/html']);
});
