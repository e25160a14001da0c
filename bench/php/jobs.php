<?php

declare(strict_types=1);

// A jobs worker. Each payload begins with the time of its push; each run appends that time and its own to the file of
// the environment variable RUNS: two numbers of 8 bytes, nanoseconds of the machine's monotonic clock.

use PyRoadRunner\Jobs\JobsWorker;
use PyRoadRunner\Jobs\Task;

require __DIR__ . '/../../php/autoload.php';

$runs = fopen((string) getenv('RUNS'), 'ab');
stream_set_write_buffer($runs, 0);

JobsWorker::create()->run(static function (Task $task) use ($runs): void {
    fwrite($runs, pack('PP', (int) $task->payload, hrtime(true)));
});
