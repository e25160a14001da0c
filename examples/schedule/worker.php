<?php

declare(strict_types=1);

require getenv('RR_PHP_LIBRARY') . '/autoload.php';

use PyRoadRunner\Http\Request;
use PyRoadRunner\Http\Response;
use PyRoadRunner\Http\Server;
use PyRoadRunner\Jobs\JobsWorker;
use PyRoadRunner\Jobs\Task;

if (getenv('RR_MODE') === 'jobs') {
    JobsWorker::create()->run(static function (Task $task): void {
        $time = $task->headers['rr_schedule_time'][0] ?? 'an unknown time';
        fwrite(STDERR, "{$task->name} of {$time}: {$task->payload}\n");
    });
    exit;
}

Server::run(static function (Request $request): Response|string {
    if (parse_url($request->uri, PHP_URL_PATH) !== '/cron/heartbeat') {
        return "Hello, world!\n";
    }
    if (!isset($request->attributes['schedule_entry'])) {
        return new Response(403, "only the schedule may do that\n"); // a client has sent the request
    }

    return 'alive';
});
