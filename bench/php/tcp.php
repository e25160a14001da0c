<?php

declare(strict_types=1);

// A TCP worker that sends each message back.

use PyRoadRunner\Tcp\Event;
use PyRoadRunner\Tcp\TcpWorker;

require __DIR__ . '/../../php/autoload.php';

$tcp = TcpWorker::create();
while (($request = $tcp->waitRequest()) !== null) {
    $request->event === Event::Data ? $tcp->respond($request->body) : $tcp->read();
}
