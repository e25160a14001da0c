<?php

// A TCP worker that does what its messages say. Each event becomes a line of the file EVENTS.

declare(strict_types=1);

require __DIR__ . '/../../../php/autoload.php';

use PyRoadRunner\Goridge\Frame;
use PyRoadRunner\Tcp\Event;
use PyRoadRunner\Tcp\TcpWorker;

$events = fopen((string) getenv('EVENTS'), 'ab');
$tcp = TcpWorker::create();
$raw = static function (string $bytes): void {
    $out = fopen('php://stdout', 'wb');
    fwrite($out, $bytes);
    fflush($out);
};

while (($request = $tcp->waitRequest()) !== null) {
    $message = strtr(trim($request->body, "\r\n;"), ["\r\n" => '|']);
    $shown = strlen($message) < 100 ? $message : strlen($message) . ' bytes';
    fwrite($events, "{$request->uuid} {$request->server} {$request->event->value} {$shown}\n");
    if ($request->event === Event::Connected) {
        match ($request->server) {
            'greet' => $tcp->respond("hello {$request->remoteAddr} {$request->uuid}\n"),
            'deny' => $tcp->close(),
            'late' => usleep(300_000) ?? $tcp->read(),
            default => $tcp->read(),
        };
        continue;
    }
    if ($request->event === Event::Close) {
        if ($request->server !== 'noreply') {
            $tcp->read();
        }
        continue;
    }
    [$verb, $argument] = explode(' ', $message . ' ', 2);
    switch ($verb) {
        case 'pid': $tcp->respond(getmypid() . "\n"); break;
        case 'bye': $tcp->respond("bye\n", true); break;
        case 'close': $tcp->close(); break;
        case 'quiet': $tcp->read(); break;
        case 'junk': $tcp->worker->respond('junk', 'write'); break;
        case 'big': $tcp->respond(str_repeat('x', (int) $argument)); break;
        case 'wait':
            for ($until = microtime(true) + 60; !file_exists(trim($argument)) && microtime(true) < $until;) {
                usleep(5_000);
                clearstatcache();
            }
            $tcp->respond("waited\n");
            break;
        case 'error': $tcp->error('the application says no'); break;
        case 'exit': fwrite(STDERR, "last words\n"); exit(9);
        case 'garbage': $raw("PHP Warning: it rains in index.php on line 1\n"); sleep(60); break;
        case 'half': $raw(substr(Frame::encodePayload('WRITE', 'never whole', 0), 0, 20)); exit(3);
        case 'stream': $tcp->worker->stream('piece', 'WRITE'); $tcp->worker->endStream(); break;
        case 'loop': sleep(60); break;
        case 'twice':
            $tcp->respond("[{$argument}]\n");
            $raw(Frame::encodePayload('WRITE', "second of {$argument}\n", 0));
            $raw(Frame::encode(Frame::ERROR, "third of {$argument}"));
            break;
        case 'nothing': break;
        default: $tcp->respond("[{$message}]\n");
    }
}
