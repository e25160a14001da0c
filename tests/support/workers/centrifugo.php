<?php

// Answers Centrifugo's calls; an RPC's method says how: well, with an error, or badly.

declare(strict_types=1);

$raw = static function (string $bytes): void {
    $out = fopen('php://stdout', 'wb');
    fwrite($out, $bytes);
    fflush($out);
};

require __DIR__ . '/../../../php/autoload.php';

use PyRoadRunner\Centrifugo\Call;
use PyRoadRunner\Centrifugo\Centrifugo;
use PyRoadRunner\Centrifugo\CentrifugoWorker;
use PyRoadRunner\Goridge\Frame;

$worker = CentrifugoWorker::create();

$rpc = static function (Call $call) use ($worker, $raw): ?array {
    switch ($call->method) {
        case 'pid': return ['data' => getmypid()];
        case 'mode': return ['data' => getenv('RR_MODE')];
        case 'call': return ['data' => ['metadata' => $call->metadata, 'fields' => $call->fields]];
        case 'echo': return ['data' => $call->fields['data']];
        case 'size': return ['data' => strlen($call->fields['data'])];
        case 'sleep': usleep((int) ($call->data() * 1e6)); return ['data' => getmypid()];
        case 'error': $call->error(404, 'there is none', temporary: true); return null;
        case 'disconnect': $call->disconnect(4100, 'go away'); return null;
        case 'throw': throw new LogicException('the handler failed');
        case 'twice': $call->respond(['data' => 'first']); $call->respond(['data' => 'second']); return null;
        case 'empty': $worker->worker->respond(''); break;
        case 'context': $worker->worker->respond("\x0A\x02\x0A\x00", '{"error":"ignored"}'); break;
        case 'error-frame': $worker->worker->error('the application says no'); break;
        case 'no-message': $worker->worker->respond("\xFF\xFF\xFF"); break;
        case 'no-text': $worker->worker->respond("\x12\x04\x12\x02\xC3\x28"); break; // an error whose message is no UTF-8
        case 'stream': $worker->worker->stream('one'); $worker->worker->respond('two'); break;
        case 'surplus': $raw(Frame::encodePayload('', "\x0A\x06\x0A\x04\"ok\"", 0) . Frame::encodePayload('', 'surplus', 0)); break;
        case 'exit': fwrite(STDERR, "last words\n"); exit(9);
        case 'kill': posix_kill(getmypid(), SIGKILL); sleep(1000);
        case 'garbage': $raw("PHP Warning: it rains in index.php on line 1\n"); break;
        case 'half-frame': $raw(substr(Frame::encodePayload('', 'never whole', 0), 0, 15)); exit(3);
        case 'publish': return ['data' => Centrifugo::create()->publish('news', $call->data())];
        default: throw new RuntimeException("the method {$call->method} is unknown");
    }
    exit_after_raw($call);

    return null;
};

/** The worker's own answer has been sent: the call counts as answered. */
function exit_after_raw(Call $call): void
{
    (new ReflectionProperty(Call::class, 'answered'))->setValue($call, true);
}

$worker->run([
    'rpc' => $rpc,
    'connect' => static fn (Call $call): array => [
        'user' => "user of {$call->client}",
        'expire_at' => new DateTimeImmutable('@1900000000'),
        'info' => ['name' => $call->name],
        'data' => $call->data(),
        'channels' => [...$call->channels, 'news'],
        'subs' => ['feed' => ['data' => ['a' => 1], 'override' => ['presence' => true, 'join_leave' => false]], 'plain' => []],
        'meta' => '{"raw":true}',
        'caps' => [['channels' => ['news'], 'allow' => ['sub', 'hst'], 'match' => 'wildcard']],
        'labels' => ['plan' => 'free'],
    ],
    'refresh' => static fn (Call $call): array => ['expired' => $call->user === 'old', 'expire_at' => 1900000000, 'meta' => $call->meta()],
    'subscribe' => static function (Call $call): ?array {
        if ($call->channel === 'secret') {
            $call->error(403, 'not for you');

            return null;
        }

        return ['info' => [$call->user, $call->token], 'data' => $call->data(), 'override' => ['force_recovery' => true], 'allow' => ['pub']];
    },
    'publish' => static fn (Call $call): array => ['data' => [$call->channel => $call->data()], 'skip_history' => true, 'tags' => ['a' => 'b'], 'version' => 7],
    'subrefresh' => static fn (Call $call): array => ['expire_at' => 1900000000, 'info' => [$call->type, $call->channel]],
    'sub_refresh' => static fn (Call $call): array => ['expire_at' => 1900000000, 'info' => [$call->type, $call->channel]],
    'notifychannelstate' => static function (Call $call): array {
        fwrite(STDERR, 'events: ' . json_encode($call->events) . "\n");

        return [];
    },
    'notifycacheempty' => static fn (Call $call): array => ['populated' => $call->channel === 'cache'],
    'mappublish' => static fn (Call $call): array => ['key' => $call->key, 'data' => $call->data(), 'score' => 3],
    'mapremove' => static fn (Call $call): array => ['key' => $call->key],
    'sharedpollrefresh' => static fn (Call $call): array => [
        'items' => array_map(static fn (array $item): array => ['key' => $item['key'], 'data' => ['v' => $item['version']], 'version' => $item['version'] + 1], $call->items),
        'epoch' => 'e',
    ],
]);
