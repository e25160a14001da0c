<?php

// Answers the calls of greeter.proto without reading their messages.

declare(strict_types=1);

require __DIR__ . '/../../../php/autoload.php';

use PyRoadRunner\Worker;

$worker = Worker::create();
while (($payload = $worker->waitPayload()) !== null) {
    $call = json_decode($payload->context, true, flags: JSON_THROW_ON_ERROR);
    switch ($call['method']) {
        case 'Thrice':
            for ($time = 0; $time < 3; ++$time) {
                $worker->stream($payload->body);
            }
            $worker->endStream();
            break;
        case 'Fail':
            $worker->error('9|:|not today, ünd');
            break;
        default:
            $metadata = $call['context'];
            $worker->respond($payload->body, json_encode([
                'headers' => json_encode(['x-said' => $metadata['x-say'][0] ?? 'nothing']),
                'trailers' => json_encode(['x-last' => 'word']),
            ]));
    }
}
