<?php

// Answers calls of test.proto; what it does is in the name of the method and in the message.

declare(strict_types=1);

require __DIR__ . '/../../../php/autoload.php';

use PyRoadRunner\Goridge\Frame;
use PyRoadRunner\Worker;

$worker = Worker::create();
while (($payload = $worker->waitPayload()) !== null) {
    $call = json_decode($payload->context, true, flags: JSON_THROW_ON_ERROR);
    $message = $payload->body;
    switch ($call['method']) {
        case 'Context':
            $worker->respond($payload->context);
            break;
        case 'Pid':
            $worker->respond((string) getmypid());
            break;
        case 'Reply': // {"context": "...", "body": "..."}
            $reply = json_decode($message, true);
            $worker->respond($reply['body'] ?? '', $reply['context'] ?? '');
            break;
        case 'Error':
            $worker->error($message);
            break;
        case 'Sleep': // milliseconds
            usleep(1000 * (int) $message);
            $worker->respond((string) getmypid());
            break;
        case 'Gate': // waits for a file
            while (!file_exists($message)) {
                usleep(5000);
                clearstatcache();
            }
            $worker->respond((string) getmypid());
            break;
        case 'Die':
            exit(7);
        case 'Garbage':
            fwrite(STDOUT, "\x8fnonsense"); // claims a longer header than it has
            break;
        case 'Half':
            fwrite(STDOUT, substr(Frame::encodePayload('', 'whole', Frame::JSON), 0, -2));
            exit(0);
        case 'Twice':
            $worker->respond('first');
            fwrite(STDOUT, Frame::encodePayload('', 'second', Frame::JSON));
            break;
        case 'Big': // bytes
            $worker->respond(str_repeat('x', (int) $message));
            break;
        case 'Undeclared': // not declared as a stream
            $worker->stream('one');
            $worker->stream('two');
            $worker->endStream();
            break;
        case 'Frames': // {"frames": [[context, body], ...], "end": [context, body], "error": "..."}
            $plan = json_decode($message, true);
            foreach ($plan['frames'] as [$context, $body]) {
                $worker->stream($body, $context);
            }
            if (isset($plan['error'])) {
                $worker->error($plan['error']);
            } else {
                $worker->respond($plan['end'][1] ?? '', $plan['end'][0] ?? '');
            }
            break;
        case 'Count': // endless; writes its last number into the named file when it is stopped
            $number = 0;
            $padding = str_repeat('.', 1000);
            while ($worker->stream("$number$padding")) {
                ++$number;
            }
            file_put_contents($message, (string) $number);
            break;
        case 'DieInStream':
            $worker->stream('one');
            exit(8);
        default:
            $worker->respond($message);
    }
}
