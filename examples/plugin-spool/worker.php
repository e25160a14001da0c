<?php

declare(strict_types=1);

require getenv('RR_PHP_LIBRARY') . '/autoload.php';

use PyRoadRunner\Worker;

$worker = Worker::create();
while (($payload = $worker->waitPayload()) !== null) {
    $file = json_decode($payload->context)->file ?? null; // null: the text came over RPC
    if (trim($payload->body) === '') {
        $worker->error('there is no text in it');
        continue;
    }
    $worker->respond(strtoupper($payload->body), json_encode(['file' => $file, 'pid' => getmypid()]));
}
