<?php

// Replaces Octane's vendor/bin/roadrunner-worker: the same order of steps and the same exit codes, around a real Laravel
// application (Debian's php-laravel-framework).

declare(strict_types=1);

ini_set('display_errors', 'stderr');

$basePath = $_SERVER['APP_BASE_PATH'] ?? $_ENV['APP_BASE_PATH'] ?? null;
if (!is_string($basePath)) {
    fwrite(STDERR, "Cannot find application base path.\n");
    exit(11);
}
require __DIR__ . '/../../../php/autoload.php';
error_reporting(E_ALL & ~E_DEPRECATED); // Laravel 8 is older than PHP 8.2
require 'Illuminate/autoload.php';

use Illuminate\Contracts\Http\Kernel;
use Illuminate\Http\Request as LaravelRequest;
use PyRoadRunner\Http\HttpFoundation;
use PyRoadRunner\Http\HttpWorker;

/** Sends a message from Octane's worker to its command: one line of JSON on stderr. */
function tell(array $message): void
{
    fwrite(STDERR, json_encode($message, JSON_UNESCAPED_SLASHES) . "\n");
}

putenv('RR_RELAY=pipes'); // Octane uses pipes whatever the variable says
$http = HttpWorker::create();
$app = null;
while (($told = $http->waitRequest()) !== null) {
    try {
        if ($app === null) { // lazily, with the first request
            $app = require $basePath . '/bootstrap/app.php';
            $app->make(Kernel::class)->bootstrap();
        }
        $sandbox = clone $app;
        $request = HttpFoundation::request($told, LaravelRequest::class);
        $kernel = $sandbox->make(Kernel::class);
        $response = $kernel->handle($request);
        HttpFoundation::respond($http, $response);
        $kernel->terminate($request, $response);
    } catch (Throwable $error) {
        tell([
            'type' => 'throwable',
            'class' => $error::class,
            'code' => $error->getCode(),
            'file' => $error->getFile(),
            'line' => $error->getLine(),
            'message' => $error->getMessage(),
            'trace' => array_slice($error->getTrace(), 0, 2),
        ]);
        $http->respond(500, 'Internal Server Error');
    }
    unset($told, $request, $response, $sandbox, $kernel, $error);
}
