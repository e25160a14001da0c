<?php

declare(strict_types=1);

// One client: pushes jobs over one plain socket, and waits for the reply to each call. Prints what it saw as JSON.
//
//   php push.php ADDRESS PIPELINE JOBS BATCH RATE SECONDS TOPIC
//
// ADDRESS is tcp://host:port; BATCH is the jobs of a call (1: jobs.Push, else jobs.PushBatch); RATE is calls per second,
// 0 = as many as possible; it ends with the jobs or the seconds, whichever is first; TOPIC is that of the jobs, or empty.
// A payload is the time of its call in nanoseconds, filled up to 100 bytes.

function varint(int $value): string
{
    $bytes = '';
    for (; $value > 0x7F; $value >>= 7) {
        $bytes .= chr($value & 0x7F | 0x80);
    }

    return $bytes . chr($value);
}

/** A field of a protobuf message that has a length. */
function field(int $number, string $bytes): string
{
    return chr($number << 3 | 2) . varint(strlen($bytes)) . $bytes;
}

[, $address, $pipeline, $jobs, $batch, $rate, $seconds, $topic] = $argv;
[$jobs, $batch, $rate, $seconds] = [(int) $jobs, (int) $batch, (float) $rate, (float) $seconds];
$socket = stream_socket_client($address);
stream_set_read_buffer($socket, 0);
$method = $batch === 1 ? 'jobs.Push' : 'jobs.PushBatch';
$options = field(5, "\x08\x0a" . field(2, $pipeline) . ($topic === '' ? '' : field(7, $topic))); // priority 10
$times = [];
$begin = $now = hrtime(true);
$stop = $begin + $seconds * 1e9;
for ($pushed = 0; $pushed < $jobs && $now < $stop; $pushed += $batch) {
    if ($rate > 0) {
        $due = $begin + (int) (count($times) * 1e9 / $rate);
        if ($due > $now) {
            usleep(intdiv($due - $now, 1000));
        }
        $now = hrtime(true);
    }
    $payload = field(3, str_pad((string) $now, 100));
    $message = $method;
    for ($number = $pushed; $number < $pushed + $batch; ++$number) {
        $message .= field(1, field(1, 'send-mail') . field(2, "00000000-0000-4000-8000-$number") . $payload . $options);
    }
    $head = pack('CCV', 0x15, 0x80, strlen($message));
    fwrite($socket, $head . pack('V', crc32($head)) . "\0\0" . pack('VV', $pushed, strlen($method)) . $message);
    $answer = fread($socket, 65536);
    if (ord($answer[1]) & 0x40) {
        fwrite(STDERR, substr($answer, 20));
        exit(1);
    }
    $size = 20 + unpack('V', $answer, 2)[1];
    while (strlen($answer) < $size) {
        $answer .= fread($socket, 65536);
    }
    $then = $now;
    $now = hrtime(true);
    $times[] = $now - $then;
}
sort($times);
echo json_encode([
    'jobs' => $pushed,
    'begin' => $begin,
    'end' => $now,
    'p99_us' => $times[(int) (count($times) * 0.99)] / 1e3,
]), "\n";
