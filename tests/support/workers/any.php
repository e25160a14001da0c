<?php

// A worker that executes the body of its request: "COMMAND" or "COMMAND ARGUMENT".

declare(strict_types=1);

require __DIR__ . '/../../../php/autoload.php';

use PyRoadRunner\Goridge\Frame;
use PyRoadRunner\Worker;

$worker = Worker::create();
$raw = static function (string $bytes): void {
    $out = fopen('php://stdout', 'wb');
    fwrite($out, $bytes);
    fflush($out);
};
$served = 0;
while (($payload = $worker->waitPayload()) !== null) {
    ++$served;
    [$command, $argument] = explode(' ', $payload->body, 2) + [1 => ''];
    switch ($command) {
        case 'echo': $worker->respond($argument, $payload->context); break;
        case 'pid': $worker->respond((string) getmypid()); break;
        case 'served': $worker->respond((string) $served); break;
        case 'env': $worker->respond((string) getenv($argument)); break;
        case 'uid': $worker->respond(posix_getuid() . ':' . posix_getgid() . ':' . implode(',', posix_getgroups())); break;
        case 'size': $worker->respond((string) strlen($argument)); break;
        case 'big': $worker->respond(str_repeat('x', (int) $argument)); break;
        case 'sleep': usleep((int) ((float) $argument * 1e6)); $worker->respond('slept'); break;
        case 'wait-for': // waits for a file, so the test decides when the request ends
            while (!file_exists($argument)) {
                usleep(1000);
                clearstatcache();
            }
            $worker->respond((string) getmypid());
            break;
        case 'loop': while (true) { usleep(1000); }
        case 'error': $worker->error($argument); break;
        case 'hand-back': file_exists($argument) ? $worker->respond('taken') : (touch($argument) && $worker->stop()); break;
        case 'always-hand-back': $worker->stop(); break;
        case 'exit': fwrite(STDERR, "last words\n"); exit((int) $argument);
        case 'leave-heir': // a process in its own session keeps the worker's stdout open
            $heir = proc_open(['setsid', 'sleep', $argument], [1 => STDOUT], $pipes);
            $pid = proc_get_status($heir)['pid'];
            while (posix_getsid($pid) !== $pid) { // until then it is in the worker's process group and is killed with it
                usleep(1000);
            }
            posix_kill(posix_getpid(), 9);
        case 'answer-and-exit': $worker->respond('bye'); exit(0);
        case 'garbage': $raw("PHP Warning: something went wrong in index.php on line 1\n"); $worker->respond('after garbage'); break;
        case 'half-frame': $raw(substr(Frame::encodePayload('', 'never whole', 0), 0, 20)); exit(3);
        case 'four-gigabytes': $head = pack('CCV', 0x14, 0, 0xFFFFFFF0); $raw($head . pack('VCCV', crc32($head), 0, 0, 0)); break;
        case 'no-option': $raw(Frame::encode(0, 'no option')); break;
        case 'long-context': $raw(Frame::encode(0, 'short', [99])); break;
        case 'uninvited': $worker->respond('first'); $raw(Frame::encodePayload('', 'second', 0)); break;
        case 'stream': // N chunks
            for ($i = 0; $i < (int) $argument; ++$i) {
                if (!$worker->stream("chunk{$i};", $i === 0 ? 'head' : '')) {
                    continue 3;
                }
            }
            $worker->endStream();
            break;
        case 'endless': // an endless stream, until the server stops it
            while ($worker->stream(str_repeat('x', 1000))) {
            }
            break;
        case 'deaf-stream': // an endless stream that ignores the server's STOP
            while (true) {
                $raw(Frame::encodePayload('', str_repeat('x', 1000), 0, Frame::STREAM));
                usleep(1000);
            }
        case 'stream-then-error': $worker->stream('one'); $worker->error('broke in mid-stream'); break;
        case 'stream-then-exit': $worker->stream('one'); exit(9);
        case 'stream-then-loop': $worker->stream('one'); while (true) { usleep(1000); }
        case 'slow-stream': for ($i = 0; $i < 5; ++$i) { $worker->stream("{$i}"); usleep((int) ((float) $argument * 1e6)); } $worker->endStream(); break;
        case 'hog': $GLOBALS['hog'][] = str_repeat('h', (int) $argument << 20); $worker->respond('fat'); break;
        case 'stderr': fwrite(STDERR, $argument); $worker->respond('written'); break;
        default: $worker->error("no such command: {$command}");
    }
}
