<?php

declare(strict_types=1);

// Echoes calls; the method Stream answers with as many messages as the request has in its first four bytes, each of
// them the rest of the request.

use PyRoadRunner\Worker;

require __DIR__ . '/../../php/autoload.php';

$worker = Worker::create();
while (($payload = $worker->waitPayload()) !== null) {
    if (!str_contains($payload->context, '"method":"Stream"')) {
        $worker->respond($payload->body, '{}');
        continue;
    }
    $count = unpack('N', $payload->body)[1];
    $message = substr($payload->body, 4);
    for ($i = 1; $i < $count && $worker->stream($message); ++$i);
    $worker->respond($message);
}
