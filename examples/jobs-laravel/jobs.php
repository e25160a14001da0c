<?php

declare(strict_types=1);

use App\Queue\RoadRunnerJob;
use Illuminate\Contracts\Console\Kernel;
use Illuminate\Queue\WorkerOptions;
use PyRoadRunner\Jobs\JobsWorker;
use PyRoadRunner\Jobs\Task;

require __DIR__ . '/vendor/autoload.php';
require_once getenv('RR_PHP_LIBRARY') . '/autoload.php';

$app = require __DIR__ . '/bootstrap/app.php';
$app->make(Kernel::class)->bootstrap();
$worker = $app->make('queue.worker'); // what queue:work runs
$options = new WorkerOptions(maxTries: 1); // of jobs without $tries

JobsWorker::create()->run(static function (Task $task) use ($app, $worker, $options): void {
    $app->forgetScopedInstances();
    try {
        $worker->process('roadrunner', new RoadRunnerJob($app, $task, 'roadrunner'), $options);
    } catch (Throwable $e) {
        report($e);
        if (!$task->isSettled()) {
            throw $e; // Laravel could not settle it: a failed attempt
        }
    }
});
