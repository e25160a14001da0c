<?php

declare(strict_types=1);

// A jobs worker with the product's library. The payload says what to do with the job; each run is one line in the file
// of the environment variable RUNS, written before the answer. A worker that is killed while it writes leaves half a
// line, so each run begins with the end of a line.

use PyRoadRunner\Jobs\JobsWorker;
use PyRoadRunner\Jobs\Task;

require \getenv('RR_PHP_LIBRARY') . '/autoload.php';

$runs = \fopen((string) \getenv('RUNS'), 'ab');

$worker = JobsWorker::create();
$worker->run(static function (Task $task) use ($runs, $worker): void {
    $order = \json_decode($task->payload, true) ?? [];
    \fwrite($runs, "\n" . \json_encode([
        'id' => $task->id,
        'name' => $task->name,
        'pipeline' => $task->pipeline,
        'driver' => $task->driver,
        'queue' => $task->queue,
        'headers' => (object) $task->headers,
        'payload' => \base64_encode($task->payload),
        'failed' => $task->failedAttempts(),
        'pid' => \getmypid(),
        'time' => \microtime(true),
    ], JSON_THROW_ON_ERROR) . "\n");
    if (isset($order['sleep'])) {
        \usleep((int) ($order['sleep'] * 1_000_000));
    }
    if (isset($order['wait'])) { // until the test creates this file
        while (!\file_exists($order['wait'])) {
            \usleep(5_000);
            \clearstatcache();
        }
    }
    switch ($order['do'] ?? 'ack') {
        case 'die':
            \posix_kill(\getmypid(), 9);
            // no break
        case 'die once':
            if (!\file_exists($order['mark'])) {
                \touch($order['mark']);
                \posix_kill(\getmypid(), 9);
            }
            break;
        case 'throw':
            throw new \RuntimeException('the job has failed');
        case 'garbage':
            $worker->worker->respond('<html>');
            \posix_kill(\getmypid(), 9); // the library would answer a second time
        case 'nack':
            $task->nack('not now');
            break;
        case 'nack once':
            if (!\file_exists($order['mark'])) {
                \touch($order['mark']);
                $task->nack('not now', true);
            }
            break;
        case 'requeue once':
            if ($task->header('tried') === null) {
                $task->requeue('later', $order['delay'] ?? 0, ['tried' => 'yes', 'a' => ['2', '3']]);
            }
            break;
    }
});
