<?php

declare(strict_types=1);

// One client: calls the same thing again and again for so many seconds, over one plain socket. Prints what it saw as JSON.
//
//   php calls.php KIND ADDRESS SECONDS      ADDRESS is tcp://host:port; KIND is a key of the table below

/** A call of RPC: codec, method, body. */
function call(int $codec, string $method, string $body): string
{
    $head = pack('CCV', 0x15, $codec, strlen($method) + strlen($body));

    return $head . pack('V', crc32($head)) . "\0\0" . pack('VV', 1, strlen($method)) . $method . $body;
}

/** A field of a protobuf message that has a length. */
function field(int $number, string $bytes): string
{
    $size = '';
    for ($left = strlen($bytes); $left > 0x7F; $left >>= 7) {
        $size .= chr($left & 0x7F | 0x80);
    }

    return chr($number << 3 | 2) . $size . chr($left) . $bytes;
}

function kv(string $storage, string $key, ?string $value = null): string
{
    return field(1, $storage) . field(2, field(1, $key) . ($value === null ? '' : field(2, $value)));
}

function lock(string $method, string $resource): string
{
    // Waits for 10 s (microseconds in a varint).
    return call(PROTO, "lock.$method", field(1, $resource) . field(2, (string) getmypid()) . "\x20\x80\xad\xe2\x04");
}

const JSON = 0x08;
const PROTO = 0x80;

$value = str_repeat('v', 100);
$own = 'lock-' . getmypid();
[$questions, $end] = match ($argv[1]) {
    'version' => [[call(JSON, 'rpc.Version', 'true')], null],
    'memory.set' => [[call(PROTO, 'kv.Set', kv('memory', 'key', $value))], null],
    'memory.get' => [[call(PROTO, 'kv.MGet', kv('memory', 'key'))], null],
    'redis.set' => [[call(PROTO, 'kv.Set', kv('redis', 'key', $value))], null],
    'redis.get' => [[call(PROTO, 'kv.MGet', kv('redis', 'key'))], null],
    'lock.own' => [[lock('Lock', $own), lock('Release', $own)], null],
    'lock.shared' => [[lock('Lock', 'shared'), lock('Release', 'shared')], null],
    'direct.set' => [["*3\r\n\$3\r\nSET\r\n\$3\r\nkey\r\n\$100\r\n$value\r\n"], "+OK\r\n"],
    'direct.get' => [["*2\r\n\$3\r\nGET\r\n\$3\r\nkey\r\n"], "\$100\r\n$value\r\n"],
};

$socket = stream_socket_client($argv[2]);
stream_set_read_buffer($socket, 0);
$times = [];
$begin = $now = hrtime(true);
$stop = $begin + (float) $argv[3] * 1e9;
while ($now < $stop) {
    foreach ($questions as $question) {
        fwrite($socket, $question);
        $answer = fread($socket, 65536);
        if ($end === null) {
            if (ord($answer[1]) & 0x40) {
                fwrite(STDERR, substr($answer, 20));
                exit(1);
            }
            $size = 20 + unpack('V', $answer, 2)[1];
            if ($question[20] === 'l' && !str_ends_with($answer, "\x08\x01")) {
                fwrite(STDERR, 'the lock was not given, or not released');
                exit(1);
            }
        } else {
            $size = strlen($end);
        }
        while (strlen($answer) < $size) {
            $answer .= fread($socket, 65536);
        }
    }
    $then = $now;
    $now = hrtime(true);
    $times[] = $now - $then;
}
if ($end !== null && $answer !== $end) {
    fwrite(STDERR, $answer);
    exit(1);
}
sort($times);
$count = count($times);
echo json_encode([
    'calls' => $count,
    'seconds' => ($now - $begin) / 1e9,
    'p50_us' => $times[$count >> 1] / 1e3,
    'p99_us' => $times[(int) ($count * 0.99)] / 1e3,
]), "\n";
