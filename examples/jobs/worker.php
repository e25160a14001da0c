<?php

declare(strict_types=1);

require getenv('RR_PHP_LIBRARY') . '/autoload.php';

use PyRoadRunner\Http\Request;
use PyRoadRunner\Http\Server;
use PyRoadRunner\Jobs\Jobs;
use PyRoadRunner\Jobs\JobsWorker;
use PyRoadRunner\Jobs\NewJob;
use PyRoadRunner\Jobs\Task;

// The server starts this file once for each pool, and RR_MODE names the plugin.
if (getenv('RR_MODE') === 'jobs') {
    JobsWorker::create()->run(static function (Task $task): void {
        $mail = json_decode($task->payload, true, flags: JSON_THROW_ON_ERROR);
        if ($mail['to'] === 'unknown') {
            throw new RuntimeException('there is no such address'); // a failed attempt
        }
        fwrite(STDERR, "mail to {$mail['to']}, attempt " . ($task->failedAttempts() + 1) . "\n");
    });
    exit;
}

$jobs = Jobs::create();
Server::run(static function (Request $request) use ($jobs): string {
    $job = new NewJob('send-mail', json_encode(['to' => $request->query['to'] ?? 'you'], JSON_THROW_ON_ERROR));
    $jobs->push('mails', $job);

    return "queued as {$job->id}\n";
});
