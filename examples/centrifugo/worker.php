<?php

declare(strict_types=1);

require getenv('RR_PHP_LIBRARY') . '/autoload.php';

use PyRoadRunner\Centrifugo\Call;
use PyRoadRunner\Centrifugo\Centrifugo;
use PyRoadRunner\Centrifugo\CentrifugoWorker;
use PyRoadRunner\Http\Request;
use PyRoadRunner\Http\Server;

// The server starts this file once for each pool, and RR_MODE names the plugin.
if (getenv('RR_MODE') === 'centrifuge') {
    CentrifugoWorker::create()->run([
        'connect' => static fn (Call $call): array => [
            'user' => $call->header('X-User') ?? 'guest',
            'channels' => ['news'], // every client is subscribed to it
        ],
        'subscribe' => static function (Call $call): array {
            if ($call->channel === 'staff' && $call->user !== 'ann') {
                $call->error(403, 'for the staff only');
            }

            return []; // ignored after an error
        },
        'publish' => static fn (Call $call): array => ['data' => ['from' => $call->user] + (array) $call->data()],
        'rpc' => static fn (Call $call): array => ['data' => ['method' => $call->method, 'you' => $call->user]],
    ]);
    exit;
}

$centrifugo = Centrifugo::create();
Server::run(static function (Request $request) use ($centrifugo): string {
    $centrifugo->publish('news', ['text' => $request->parsed['text'] ?? 'nothing']);

    return "published\n";
});
