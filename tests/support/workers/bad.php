<?php

// An HTTP worker that misbehaves according to the path of its request, or at its start according to BAD_START.

declare(strict_types=1);

$raw = static function (string $bytes): void {
    $out = fopen('php://stdout', 'wb');
    fwrite($out, $bytes);
    fflush($out);
};

switch ((string) getenv('BAD_START')) {
    case 'print': $raw("Warning: printed before the worker was ready\n"); break;
    case 'exit': fwrite(STDERR, "cannot find the database\n"); exit(7);
    case 'exit-0': exit(0);
    case 'silence': sleep(1000);
    case 'flood': while (true) { fwrite(STDERR, str_repeat('flood ', 10_000) . "\n"); }
}

require __DIR__ . '/../../../php/autoload.php';

use PyRoadRunner\Goridge\Frame;
use PyRoadRunner\Worker;

$worker = Worker::create();
$head = '{"status":200,"headers":{}}';
$answer = static fn (string $body) => $worker->respond($body, $head);
$relay = (string) getenv('RR_RELAY');
if ($relay !== 'pipes') {
    // Over a socket, write the raw bytes to the library's own connection, which carries the frames.
    $property = new ReflectionProperty(Worker::class, 'relay');
    $stream = $property->getValue($worker);
    $raw = static fn (string $bytes) => $stream->send($bytes);
}

while (($payload = $worker->waitPayload()) !== null) {
    $path = (string) parse_url(json_decode($payload->context, true)['uri'], PHP_URL_PATH);
    switch ($path) {
        case '/pid': $answer((string) getmypid()); break;
        case '/exit': fwrite(STDERR, "first words\nlast words\n"); exit(9);
        case '/kill': fwrite(STDERR, "last words\n"); posix_kill(getmypid(), SIGKILL); sleep(1000);
        case '/answer-and-exit': $answer('bye'); exit(0);
        case '/garbage': fwrite(STDERR, "last words\n"); $raw("PHP Warning: it rains in index.php on line 1\n"); $answer('late'); break;
        case '/half-frame': fwrite(STDERR, "last words\n"); $raw(substr(Frame::encodePayload($head, 'never whole', 0), 0, 30)); exit(3);
        case '/half-header': fwrite(STDERR, "last words\n"); $raw(substr(Frame::encodePayload($head, 'never whole', 0), 0, 7)); exit(3);
        case '/four-gigabytes': fwrite(STDERR, "last words\n"); $first = pack('CCV', 0x14, 0x08, 0xFFFFFFF0); $raw($first . pack('VCCV', crc32($first), 0, 0, 0)); break;
        case '/no-option': fwrite(STDERR, "last words\n"); $raw(Frame::encode(0x08, 'no option')); break;
        case '/long-context': fwrite(STDERR, "last words\n"); $raw(Frame::encode(0x08, 'short', [99])); break;
        case '/error-frame': $worker->error('the application says no'); break;
        case '/malformed-head': $worker->respond('body', '{"status":'); break;
        case '/deep-head': $worker->respond('body', '{"status":200,"headers":{"A":' . str_repeat('[', 200_000) . str_repeat(']', 200_000) . '}}'); break;
        case '/status-99': $worker->respond('body', '{"status":99,"headers":{}}'); break;
        case '/stderr': fwrite(STDERR, str_repeat(str_repeat('x', 99) . "\n", 50_000)); $answer('written'); break;
        default: $answer('fine');
    }
}
