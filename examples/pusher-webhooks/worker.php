<?php

declare(strict_types=1);

require getenv('RR_PHP_LIBRARY') . '/autoload.php';

use PyRoadRunner\Http\Request;
use PyRoadRunner\Http\Response;
use PyRoadRunner\Http\Server;

Server::run(static function (Request $request): Response {
    if ($request->method !== 'POST' || $request->path() !== '/pusher/webhooks') {
        return new Response(200, "hello\n");
    }
    // As pusher/pusher-php-server does; anyone can send requests to this path.
    $signature = hash_hmac('sha256', $request->body, 'laravel-secret');
    if (!hash_equals($signature, $request->header('X-Pusher-Signature'))) {
        return new Response(401);
    }
    foreach (json_decode($request->body, true, 512, JSON_THROW_ON_ERROR)['events'] as $event) {
        error_log("{$event['name']} {$event['channel']} " . ($event['user_id'] ?? ''));
    }

    return new Response(200);
});
